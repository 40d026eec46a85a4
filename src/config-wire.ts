/** Settings of what goes over the network between clients, hosts and engines: certificates, TLS, and the API's port. */
import { z } from 'zod'
import { absolutePath, dnsName, ipv4Text, port } from './config-values.ts'

/** This host's certificates. */
export const ownTls = z
  .strictObject({
    directory: absolutePath
      .default('/etc/atoll/tls')
      .describe(
        "ca.crt, host.crt and host.key of this host, made from the cluster's secret (or this host's own) and renewed in time; files of another CA are left alone",
      ),
    names: z
      .array(dnsName)
      .max(32)
      .default([])
      .describe('More DNS names for host.crt, by which the API is reached'),
    addresses: z
      .array(ipv4Text)
      .max(32)
      .default([])
      .describe('More addresses for host.crt, likewise'),
  })
  .prefault({})

/** TLS towards an engine. */
export const engineTls = z
  .strictObject({
    mode: z
      .enum(['auto', 'on', 'off'])
      .default('auto')
      .describe(
        'Which nodes are spoken to by TLS. auto: all but those on loopback, or all where ca is set; on: all; off: none, so that passwords and records can be read on the way',
      ),
    ca: absolutePath
      .nullable()
      .default(null)
      .describe(
        'CA certificates (PEM) that the engine must be signed by, for the name or address by which it is named; null: ca.crt, host.crt and host.key of tls.directory',
      ),
    cert: absolutePath
      .nullable()
      .default(null)
      .describe("This host's certificate (PEM), if the engine asks for one; goes with ca"),
    key: absolutePath.nullable().default(null).describe('The key of that certificate (PEM)'),
  })
  .superRefine(({ ca, cert, key }, context) => {
    if ((cert === null) !== (key === null))
      context.addIssue({ code: 'custom', path: ['key'], message: 'is needed together with cert' })
    if (ca === null && cert !== null)
      context.addIssue({ code: 'custom', path: ['ca'], message: 'is needed when cert is given' })
  })
  .prefault({})

/** The certificate that the API shows. */
const apiTls = z
  .strictObject({
    certificateFile: absolutePath
      .nullable()
      .default(null)
      .describe(
        'Certificate chain (PEM) that clients are shown, taken up anew when the file changes; null: host.crt of tls.directory',
      ),
    keyFile: absolutePath.nullable().default(null).describe('The key of that certificate (PEM)'),
    caFile: absolutePath
      .nullable()
      .default(null)
      .describe(
        'What `atoll env` tells clients to verify that certificate by; null: what they trust anyway',
      ),
  })
  .superRefine(({ certificateFile, keyFile }, context) => {
    if ((certificateFile === null) !== (keyFile === null))
      context.addIssue({
        code: 'custom',
        path: ['keyFile'],
        message: 'is needed together with certificateFile',
      })
  })
  .prefault({})

/** The EC2 API. */
export const apiSection = z
  .strictObject({
    listen: ipv4Text.prefault('0.0.0.0').describe('Address of the EC2 API'),
    port: port
      .default(8773)
      .describe('TCP port of the EC2 API: HTTPS, and plain HTTP for clients on this host only'),
    url: z
      .httpUrl()
      .max(500)
      .nullable()
      .default(null)
      .describe(
        'What `atoll env` and DescribeRegions tell clients to call; null: this host by HTTPS, under the name that each used',
      ),
    tls: apiTls,
    replicaKeysSeconds: z
      .int()
      .min(0)
      .max(31_536_000)
      .default(3600)
      .describe(
        'How long access keys are accepted by what this host remembers of them while the records are away: one that was disabled meanwhile is good for so long',
      ),
    maxInstancesPerLaunch: z
      .int()
      .min(1)
      .max(1000)
      .default(100)
      .describe('Most instances that one RunInstances may ask for'),
    bodyLimitKiB: z
      .int()
      .min(32)
      .max(16_384)
      .default(1024)
      .describe('Largest request body, in KiB'),
    requestsPerSecond: z
      .int()
      .min(1)
      .max(100_000)
      .default(100)
      .describe(
        'Requests per second of one access key at this host in the long run; more are answered `RequestLimitExceeded`',
      ),
    requestBurst: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(1000)
      .describe('Requests of one access key at once after a quiet time'),
  })
  .prefault({})

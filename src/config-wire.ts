/**
 * Settings of what goes over the network between clients, hosts and engines: certificates, TLS, and
 * the API's port.
 */
import { z } from 'zod'
import { quotas } from './config-quotas.ts'
import { sharedAddress } from './config-shared-address.ts'
import { absolutePath, dnsName, ipv4Text, port } from './config-values.ts'

/** This host's certificates. */
export const ownTls = z
  .strictObject({
    directory: absolutePath
      .default('/etc/atoll/tls')
      .describe(
        "Directory of ca.crt, host.crt and host.key. They are derived from the cluster's secret (or a secret of this host) and renewed in time; files of another CA are left alone",
      ),
    names: z
      .array(dnsName)
      .max(32)
      .default([])
      .describe('More DNS names for host.crt, under which clients reach the API'),
    addresses: z
      .array(ipv4Text)
      .max(32)
      .default([])
      .describe('More addresses for host.crt, at which clients reach the API'),
  })
  .prefault({})

/** TLS for connections to an engine. */
export const engineTls = z
  .strictObject({
    mode: z
      .enum(['auto', 'on', 'off'])
      .default('auto')
      .describe(
        'TLS to the nodes. auto: all nodes but those on loopback, or all if ca is set; on: all nodes; off: none, so passwords and records can be read on the network',
      ),
    ca: absolutePath
      .nullable()
      .default(null)
      .describe(
        'CA certificates (PEM) that verify the engine, for the name or address in the list of nodes; null: use ca.crt, host.crt and host.key of tls.directory',
      ),
    cert: absolutePath
      .nullable()
      .default(null)
      .describe('Certificate of this host (PEM), if the engine asks for one; needs ca'),
    key: absolutePath.nullable().default(null).describe('The key of that certificate (PEM)'),
  })
  .superRefine(({ ca, cert, key }, context) => {
    if ((cert === null) !== (key === null))
      context.addIssue({ code: 'custom', path: ['key'], message: 'is needed together with cert' })
    if (ca === null && cert !== null)
      context.addIssue({ code: 'custom', path: ['ca'], message: 'is needed when cert is given' })
  })
  .prefault({})

/** The API's certificate. */
const apiTls = z
  .strictObject({
    certificateFile: absolutePath
      .nullable()
      .default(null)
      .describe(
        'Certificate chain (PEM) of the API, read again when the file changes; null: host.crt of tls.directory',
      ),
    keyFile: absolutePath.nullable().default(null).describe('The key of that certificate (PEM)'),
    caFile: absolutePath
      .nullable()
      .default(null)
      .describe(
        'CA file that `atoll env` gives to clients to verify that certificate; null: they use the CAs of their system',
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
        'URL that `atoll env` and DescribeRegions give to clients; null: HTTPS to this host, under the name that the client used',
      ),
    sharedAddress,
    tls: apiTls,
    workers: z
      .int()
      .min(0)
      .max(16)
      .default(1)
      .describe(
        'Processes that answer clients, without rights on this host, and share what comes; 0: the agent answers clients itself',
      ),
    replicaKeysSeconds: z
      .int()
      .min(0)
      .max(31_536_000)
      .default(3600)
      .describe(
        'How long this host accepts access keys that it knows while the database is unavailable; a key that was disabled meanwhile stays valid that long',
      ),
    maxInstancesPerLaunch: z
      .int()
      .min(1)
      .max(1000)
      .default(100)
      .describe('Maximum number of instances in one RunInstances'),
    quotas,
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
        'Sustained requests per second of one access key at one process of the API; more are answered with `RequestLimitExceeded`',
      ),
    requestBurst: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(1000)
      .describe('Burst of requests of one access key after a quiet time'),
  })
  .prefault({})

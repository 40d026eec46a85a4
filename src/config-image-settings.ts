/** Settings of images: their sources and sizes. */
import { z } from 'zod'
import { absolutePath, zoneName } from './config-values.ts'
import { parseReach } from './images/outbound-policy.ts'
import { PUBLIC_REGISTRIES } from './model/image-location.ts'

/** A destination that images may be fetched from. */
const reachText = z
  .string()
  .max(300)
  .refine((text) => parseReach(text) !== undefined, {
    error:
      'must be a network, an address or a name, the latter two optionally with a port: 10.1.0.0/16, 10.1.2.3:8080, mirror.example',
  })
/** The proxy for fetching images. */
const proxyChoice = z
  .string()
  .max(500)
  .refine((text) => ['environment', 'none'].includes(text) || isProxy(text), {
    error: 'must be environment, none, or the URL of a proxy: http://proxy.example:3128',
  })
function isProxy(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && /^https?:$/.test(url.protocol) && url.pathname === '/' && url.search === ''
}
/** A registry: `registry.example`, `registry.example:5000`. */
const registryName = z
  .string()
  .regex(
    /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[1-9][0-9]{0,4})?$/,
    'must be a registry as references name it, in lower case: ghcr.io or registry.example:5000',
  )
/** Names of images, with `*` for any part. */
const imagePattern = z
  .string()
  .max(300)
  .regex(/^[A-Za-z0-9*][A-Za-z0-9._:/*-]*$/, 'must be the name of an image, * for any part: team/*')

/** The S3 service of `s3://bucket/key` locations. */
const imageStore = z
  .strictObject({
    endpoints: z
      .array(z.httpUrl().max(500))
      .max(16)
      .default([])
      .describe(
        'S3 service of s3:// image locations, in order of preference: https://s3.example:8443',
      ),
    region: zoneName.default('us-east-1').describe('Region for signing requests'),
    accessKeyId: z.string().min(1).max(200).nullable().default(null).describe('Access key'),
    secretFile: absolutePath
      .nullable()
      .default(null)
      .describe('File with the secret of that access key'),
  })
  .superRefine(({ endpoints, accessKeyId, secretFile }, context) => {
    const isNeeded = (path: string) =>
      context.addIssue({ code: 'custom', path: [path], message: 'is needed with endpoints' })
    if (endpoints.length > 0 && accessKeyId === null) isNeeded('accessKeyId')
    if (endpoints.length > 0 && secretFile === null) isNeeded('secretFile')
  })
  .prefault({})

/** The section `images`. */
export const imageSettings = z
  .strictObject({
    directories: z
      .array(absolutePath)
      .max(32)
      .default(['/var/lib/atoll/images'])
      .describe(
        'Directories of published images, and of nothing else: every client with an access key may use any file in them. `atoll image publish` copies to the first',
      ),
    reach: z
      .array(reachText)
      .max(100)
      .default([])
      .describe(
        'Private networks, addresses and names from which images may be fetched, beside public ones: [10.1.0.0/16, mirror.example, "10.0.0.5:8080"]. An address of the cloud itself must be named by itself, not by a network',
      ),
    proxy: proxyChoice
      .default('environment')
      .describe(
        'environment: HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the daemon; none: no proxy; or a proxy for all images from http(s)://: http://proxy.example:3128',
      ),
    registries: z
      .array(registryName)
      .max(100)
      .default([...PUBLIC_REGISTRIES])
      .describe(
        'Registries from which docker:// images may be pulled. The engine follows redirects of a registry: name only registries whose operators you trust not to redirect it into your networks',
      ),
    local: z
      .array(imagePattern)
      .max(100)
      .default(['*'])
      .describe(
        'Images already in the Docker Engine that clients may launch, * matches any part of a name: [atoll-sample, "public/*"]',
      ),
    maxGiB: z
      .number()
      .min(0.001)
      .max(1024)
      .default(20)
      .describe('Largest image: an archive when unpacked, a disk as fetched, in GiB'),
    cacheGiB: z
      .number()
      .min(0.1)
      .max(65_536)
      .default(50)
      .describe(
        'Cache of virtual machine images on this host, in GiB; the least recently used are removed first',
      ),
    s3: imageStore,
  })
  .prefault({})

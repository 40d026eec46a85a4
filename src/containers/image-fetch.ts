/**
 * Gets one image: by its pinned content if that is here, otherwise from its location.
 *
 * It waits while the engine is away, because an absent engine says nothing about an image.
 */
import type Dockerode from 'dockerode'
import { z } from 'zod'
import type { Clock } from '../lib/clock.ts'
import { unlessAborted } from '../lib/deadline.ts'
import type { Log } from '../lib/log.ts'
import { type Backoff, retry } from '../lib/retry.ts'
import { ec2Architecture } from '../model/architecture.ts'
import { AtollError, assertNever, bug, refused, unavailable } from '../model/errors.ts'
import { parseImageLocation, splitReference } from '../model/image-location.ts'
import { MIB } from '../model/sizes.ts'
import type { ImageWant } from '../model/want.ts'
import { archiveTag, importArchive, readArchive } from './archive.ts'
import { dockerError, isAbsent, reasonOf, statusOf } from './errors.ts'
import type { Login } from './logins.ts'
import { finished } from './progress.ts'
import { type DockerSources, isLocal } from './sources.ts'
import type { DockerImage } from './spec.ts'
import { committedTag } from './tags.ts'

export interface FetchOptions {
  readonly docker: Dockerode
  /** The references that clients may name. */
  readonly sources: DockerSources
  /** The engine's credentials for a registry. Null or absent: none. */
  readonly login?: (registry: string) => Promise<Login | null>
  /** Directories in which `file:///` locations may be. */
  readonly directories: readonly string[]
  /** Largest archive, packed and unpacked. */
  readonly maxBytes: number
  readonly clock: Clock
  readonly log: Log
  /** Ends the work. */
  readonly signal: AbortSignal
  /** Gets a short sentence whenever there is news. */
  readonly progress: (message: string) => void
}

/** An image and the digest that pins it. */
export interface Fetched {
  readonly digest: string
  /** Its digest in its registry. Null: it is not from a registry. */
  readonly repositoryDigest: string | null
  readonly image: DockerImage
}

/** Attempts until a pull has failed. */
const PULL_ATTEMPTS = 3
/**
 * A pull without news for this long hangs, and would occupy its place. Engines are silent while
 * they verify or unpack a large layer.
 */
const PULL_IDLE_MS = 600_000
const RETRY: Backoff = { firstMs: 1_000, lastMs: 30_000 }
const NOT_FOUND = 404

/** Rejects with the sentence to show when the image is unavailable. */
export async function fetchImage(options: FetchOptions, want: ImageWant): Promise<Fetched> {
  const location = parseImageLocation(want.location)
  if (location === undefined) {
    const why = 'neither docker://name:tag nor file:///absolute/path.tar[.gz] without white space'
    throw refused('InvalidParameterValue', `ImageLocation ${want.location} is ${why}`)
  }
  switch (location.kind) {
    case 'docker':
      return fetchDocker(options, want, location.reference)
    case 'file':
      return fetchFile(options, want, location.path)
    case 'kept':
      return fetchKept(options, want, committedTag(location.image))
    case 'disk':
    case 'kernel':
      throw bug(`${want.location} is the image of a virtual machine, not of a container`)
    default:
      return assertNever(location)
  }
}

/** An image that was made from an instance on this host. Nobody else has it. */
async function fetchKept(options: FetchOptions, want: ImageWant, tag: string): Promise<Fetched> {
  const { docker } = options
  const image = await patiently(options, want.location, () => inspectImage(docker, tag))
  if (image !== null && image.id === want.digest)
    return { digest: image.id, repositoryDigest: null, image }
  throw refused(
    'InvalidParameterValue',
    `${want.location} existed only on that host, and is not here (any more)`,
  )
}

async function fetchDocker(
  options: FetchOptions,
  want: ImageWant,
  reference: string,
): Promise<Fetched> {
  const { docker } = options
  const { digest, repositoryDigest = null } = want
  if (digest !== null) {
    const pinned = await patiently(options, want.location, () => inspectImage(docker, digest))
    if (pinned !== null) return { digest: pinned.id, repositoryDigest, image: pinned }
    const same = await pullSame(options, want, reference)
    if (same !== null) return { digest: same.id, repositoryDigest, image: same }
  }
  const { registries, local } = options.sources
  const found = await patiently(options, want.location, () => findImage(docker, reference))
  const mayUse = found !== null && isLocal(reference, local)
  // A pull would take the name from an image that somebody made here and does not publish.
  const mayPull = registries.includes(splitReference(reference).registry) && found?.isMade !== true
  if (!mayUse && !mayPull)
    throw imageUnavailable(want, 'the settings images.registries and images.local')
  const image = mayUse ? found.image : await pull(options, want, reference)
  if (digest !== null && image.id !== digest) throw differs(want, image.id)
  const named = await patiently(options, want.location, () => findImage(docker, image.id))
  return {
    digest: image.id,
    repositoryDigest: digestIn(named?.repositoryDigests ?? [], reference),
    image,
  }
}

/**
 * The pinned content from its registry, by its digest there, because the tag may have moved or be
 * gone. Null when the digest is unknown, or the registry does not have it any more. Then the tag
 * may still lead to it.
 */
async function pullSame(
  options: FetchOptions,
  want: ImageWant,
  reference: string,
): Promise<DockerImage | null> {
  const { repositoryDigest = null, digest } = want
  const { registry } = splitReference(reference)
  if (repositoryDigest === null || !options.sources.registries.includes(registry)) return null
  const same = `${repositoryOf(reference)}@${repositoryDigest}`
  try {
    const image = await pull(options, want, same)
    if (image.id === digest) return image
    options.log.warn({ image: want.id, found: image.id }, 'a repository digest has other content')
  } catch (error) {
    options.signal.throwIfAborted()
    options.log.info({ image: want.id, reference: same, error }, 'not available by its digest')
  }
  return null
}

/** A reference without tag and digest. */
function repositoryOf(reference: string): string {
  const [name = ''] = reference.split('@')
  const tag = name.indexOf(':', name.lastIndexOf('/'))
  return tag === -1 ? name : name.slice(0, tag)
}

/** The engine's `RepoDigests` entry for the repository of the reference. */
function digestIn(repositoryDigests: readonly string[], reference: string): string | null {
  const wanted = splitReference(reference)
  const found = repositoryDigests.find((one) => {
    const { registry, name } = splitReference(one)
    return registry === wanted.registry && name === wanted.name
  })
  return found?.slice(found.indexOf('@') + 1) ?? null
}

async function pull(
  options: FetchOptions,
  want: ImageWant,
  reference: string,
): Promise<DockerImage> {
  const { docker, login, clock, log } = options
  const authconfig = (await login?.(splitReference(reference).registry)) ?? undefined
  return await whileProgressing(options, want, async (signal, progress) => {
    const again = (error: unknown, failures: number) => {
      signal.throwIfAborted()
      if (statusOf(error) === NOT_FOUND || failures === PULL_ATTEMPTS)
        throw imageUnavailable(want, reasonOf(error))
      log.debug({ image: want.id, error, attempt: failures }, 'pull failed, trying again')
      return true
    }
    return await retry({ clock, signal, backoff: RETRY, again }, async () => {
      progress(`Pulling ${reference}`)
      await finished(
        await docker.pull(reference, { abortSignal: signal, authconfig }),
        progress,
        signal,
      )
      const image = await inspectImage(docker, reference)
      if (image !== null) return image
      throw unavailable('the engine pulled it and does not have it')
    })
  })
}

/** The result of `work`, while it reports progress at least every `PULL_IDLE_MS`. */
async function whileProgressing<T>(
  { signal, progress, clock }: FetchOptions,
  want: ImageWant,
  work: (signal: AbortSignal, progress: (message: string) => void) => Promise<T>,
): Promise<T> {
  const idle = new AbortController()
  const giveUp = () => idle.abort(imageUnavailable(want, 'the pull makes no progress'))
  let stop = clock.after(PULL_IDLE_MS, giveUp)
  let last = ''
  const told = (message: string) => {
    progress(message)
    if (message === last) return
    last = message
    stop()
    stop = clock.after(PULL_IDLE_MS, giveUp)
  }
  const either = AbortSignal.any([signal, idle.signal])
  try {
    return await unlessAborted(either, () => work(either, told))
  } finally {
    stop()
  }
}

/** What the engine says when this host has no room for an image. */
const NO_ROOM = /no space left on device|disk quota exceeded/

/** One sentence, whatever the engine or the registry says. Their messages are for the operator. */
function imageUnavailable({ location }: ImageWant, why: string): AtollError {
  const message = `${location} is not on this host and cannot be pulled`
  const [kind, code] = NO_ROOM.test(why)
    ? (['unavailable', 'Unavailable'] as const)
    : (['refused', 'InvalidParameterValue'] as const)
  return new AtollError(kind, code, message, { detail: { why } })
}

async function fetchFile(options: FetchOptions, want: ImageWant, path: string): Promise<Fetched> {
  const { docker, signal } = options
  const { digest } = want
  if (digest !== null) {
    const image = await patiently(options, want.location, () =>
      inspectImage(docker, archiveTag(digest)),
    )
    if (image !== null) return { digest, repositoryDigest: null, image }
  }
  const archive = await readArchive(path, options, signal)
  if (digest !== null && archive.digest !== digest) throw differs(want, archive.digest)
  const image = await patiently(options, want.location, async () => {
    const present = await inspectImage(docker, archiveTag(archive.digest))
    if (present !== null) return present
    const tell = (bytes: number) => options.progress(`Importing: ${(bytes / MIB).toFixed(0)} MiB`)
    await importArchive(docker, archive, options, tell, signal)
    return inspectImage(docker, archiveTag(archive.digest))
  })
  if (image === null) throw unavailable(`${want.location} was imported and is not there`)
  return { digest: archive.digest, repositoryDigest: null, image }
}

/** Repeats while the engine does not answer. Errors: `dockerError` of all other answers. */
export async function patiently<T>(
  { signal, clock, log }: Pick<FetchOptions, 'signal' | 'clock' | 'log'>,
  location: string,
  attempt: () => Promise<T>,
): Promise<T> {
  const again = (error: unknown) => {
    signal.throwIfAborted()
    if (!isAbsent(error)) throw dockerError(error, `get ${location}`)
    log.debug({ error }, 'the Docker Engine does not answer, trying again')
    return true
  }
  return await retry({ clock, signal, backoff: RETRY, again }, attempt)
}

function differs(want: ImageWant, found: string): AtollError {
  return refused(
    'InvalidParameterValue',
    `${want.location} has changed since ${want.id} was registered: it is ${found} now, and ${want.digest} is pinned; ` +
      'register it as a new image',
  )
}

/** It is missing in dockerode's types. */
const stopSignalSchema = z.object({ StopSignal: z.string().max(64).nullish() })

/**
 * The engine's description of an image by name, tag or id. Null when it does not have the image.
 */
export async function inspectImage(docker: Dockerode, name: string): Promise<DockerImage | null> {
  return (await findImage(docker, name))?.image ?? null
}

/** Like `inspectImage`, and whether the image was made here and not pulled. */
async function findImage(docker: Dockerode, name: string) {
  try {
    const found = await docker.getImage(name).inspect()
    const { Entrypoint, Cmd, Labels } = found.Config
    const { StopSignal } = stopSignalSchema.parse(found.Config)
    const image: DockerImage = {
      id: found.Id,
      architecture: ec2Architecture(found.Architecture),
      command: [...listOf(Entrypoint), ...listOf(Cmd)],
      labels: Labels ?? {},
      stopSignal: StopSignal ?? null,
    }
    const repositoryDigests = listOf(found.RepoDigests)
    return { image, repositoryDigests, isMade: repositoryDigests.length === 0 }
  } catch (error) {
    if (statusOf(error) === NOT_FOUND) return null
    throw error
  }
}

function listOf(value: string | readonly string[] | null | undefined): readonly string[] {
  if (value === null || value === undefined) return []
  return typeof value === 'string' ? [value] : value
}

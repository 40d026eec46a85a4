/**
 * Image files from an S3-compatible service with several endpoints, and flow logs to it. Any that
 * answers is used. When one fails during a transfer, the next one continues it: the entity tag
 * belongs to the object, not to the endpoint.
 */
import { readFile } from 'node:fs/promises'
import { addAbortSignal, Readable } from 'node:stream'
import type {
  GetObjectCommandInput,
  GetObjectCommandOutput,
  PutObjectCommandInput,
  S3Client,
} from '@aws-sdk/client-s3'
import { AtollError, explain, refused, unavailable } from '../model/errors.ts'
import {
  NOT_SATISFIABLE,
  type Opened,
  type Position,
  PRECONDITION_FAILED,
  parseContentRange,
  type Source,
  statusError,
} from './source.ts'

/** Access to the service. */
export interface S3Settings {
  /** URLs of the same service, at least one. */
  readonly endpoints: readonly string[]
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** As in the configuration. */
export interface S3Config {
  readonly endpoints: readonly string[]
  readonly region: string
  readonly accessKeyId: string | null
  readonly secretFile: string | null
}

/** The settings with the secret; null: the configuration names no service. */
export async function readS3Settings(config: S3Config): Promise<S3Settings | null> {
  const { endpoints, region, accessKeyId, secretFile } = config
  if (accessKeyId === null || secretFile === null || endpoints.length === 0) return null
  const secretAccessKey = (await readFile(secretFile, 'utf8')).trim()
  return { endpoints, region, accessKeyId, secretAccessKey }
}

/** The client of the service. */
export interface S3 {
  source(bucket: string, key: string): Source
  /**
   * Stores an object. Errors: `unavailable` when no endpoint takes it, or the reason of the signal.
   */
  put(bucket: string, key: string, body: Buffer, signal: AbortSignal): Promise<void>
  close(): void
}

/** Time limit for connecting to an endpoint. */
const CONNECT_TIMEOUT_MS = 3_000
/** Time limit for an endpoint's answer. */
const ANSWER_TIMEOUT_MS = 5_000

/** Clients are created when needed: the SDK takes 10 MB that most daemons do not need. */
export function createS3(settings: S3Settings): S3 {
  const clients = new Map<string, Promise<Client>>()
  /** The endpoint that has taken the last object. One that hangs is not asked first each time. */
  let lastPut = 0
  function clientOf(endpoint: string): Promise<Client> {
    const client = clients.get(endpoint) ?? connect(endpoint, settings)
    clients.set(endpoint, client)
    return client
  }
  return {
    source(bucket, key) {
      const name = `s3://${bucket}/${key}`
      let opened = 0
      return {
        name,
        verb: 'Downloading',
        isOutside: true,
        async open(from, signal) {
          // A second call means that the last endpoint failed, so it begins with the next one.
          const first = opened++
          const failures: string[] = []
          for (let n = 0; n < settings.endpoints.length; n += 1) {
            const endpoint = settings.endpoints[(first + n) % settings.endpoints.length] ?? ''
            try {
              const client = await clientOf(endpoint)
              return await client.get({ Bucket: bucket, Key: key }, name, from, signal)
            } catch (error) {
              signal.throwIfAborted()
              if (error instanceof AtollError && error.kind !== 'unavailable') throw error
              failures.push(`${endpoint}: ${explain(error)}`)
            }
          }
          throw unavailable(`${name} cannot be fetched from ${failures.join('; ')}`)
        },
      }
    },
    async put(bucket, key, body, signal) {
      const failures: string[] = []
      for (let n = 0; n < settings.endpoints.length; n += 1) {
        const at = (lastPut + n) % settings.endpoints.length
        const endpoint = settings.endpoints[at] ?? ''
        try {
          const client = await clientOf(endpoint)
          await client.put({ Bucket: bucket, Key: key, Body: body }, signal)
          lastPut = at
          return
        } catch (error) {
          signal.throwIfAborted()
          failures.push(`${endpoint}: ${explain(error)}`)
        }
      }
      throw unavailable(`s3://${bucket}/${key} cannot be stored at ${failures.join('; ')}`)
    },
    close() {
      for (const client of clients.values())
        void client.then(
          ({ close }) => close(),
          () => undefined,
        )
    },
  }
}

/** The client of one endpoint. */
interface Client {
  get(
    object: GetObjectCommandInput,
    name: string,
    from: Position | null,
    signal: AbortSignal,
  ): Promise<Opened>
  put(object: PutObjectCommandInput, signal: AbortSignal): Promise<void>
  close(): void
}

async function connect(endpoint: string, settings: S3Settings): Promise<Client> {
  const { GetObjectCommand, PutObjectCommand, S3Client, S3ServiceException } = await import(
    '@aws-sdk/client-s3'
  )
  const { region, accessKeyId, secretAccessKey } = settings
  const client: S3Client = new S3Client({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
    // Attempts are made here, not by the SDK.
    maxAttempts: 1,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: ANSWER_TIMEOUT_MS,
      throwOnRequestTimeout: true,
    },
    // Not every such service supports AWS's newer checksums, and the whole content is verified
    // anyway.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  })

  async function get(
    object: GetObjectCommandInput,
    name: string,
    from: Position | null,
    signal: AbortSignal,
  ): Promise<Opened> {
    const part = from === null ? {} : { Range: `bytes=${from.offset}-`, IfMatch: from.validator }
    try {
      const command = new GetObjectCommand({ ...object, ...part })
      const output = await client.send(command, { abortSignal: signal })
      return openedOf(output, name, from, signal)
    } catch (error) {
      if (!(error instanceof S3ServiceException)) throw error
      const status = error.$metadata.httpStatusCode
      if (from !== null && (status === PRECONDITION_FAILED || status === NOT_SATISFIABLE))
        return get(object, name, null, signal)
      throw status === undefined ? error : statusError(name, status, error.name)
    }
  }

  async function put(object: PutObjectCommandInput, signal: AbortSignal): Promise<void> {
    await client.send(new PutObjectCommand(object), { abortSignal: signal })
  }

  return { get, put, close: () => client.destroy() }
}

function openedOf(
  { Body, ContentRange, ContentLength, ETag }: GetObjectCommandOutput,
  name: string,
  from: Position | null,
  signal: AbortSignal,
): Opened {
  if (!(Body instanceof Readable)) throw unavailable(`${name} was answered without a body`)
  addAbortSignal(signal, Body)
  // If it aborts before anybody reads it, an error without a listener would end the daemon.
  Body.on('error', () => undefined)
  const validator = ETag ?? null
  if (ContentRange === undefined)
    return { offset: 0, totalBytes: ContentLength ?? null, validator, body: Body }
  const range = parseContentRange(ContentRange)
  if (range !== null && range.offset === from?.offset) return { ...range, validator, body: Body }
  Body.destroy()
  throw refused('InvalidParameterValue', `${name} returned another range`)
}

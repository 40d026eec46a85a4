/** Attacks on the API by a client with a key, and by clients without. */
import { request as plainRequest } from 'node:http'
import { request as secureRequest } from 'node:https'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import {
  CreateKeyPairCommand,
  CreateTagsCommand,
  DeleteKeyPairCommand,
  DeregisterImageCommand,
  DescribeTagsCommand,
  RegisterImageCommand,
} from '@aws-sdk/client-ec2'
import { messageOf } from '../../../src/model/errors.ts'
import { OUTSIDE_SERVER } from '../../lab/layout.ts'
import type { ApiClient } from '../api.ts'
import { type Attack, FLOOD_SECONDS } from './attack.ts'
import { SLOW_IMAGES, serveSlowImages } from './slow-images.ts'

const KEYS = 40
const TAGS_OF_ONE = 50
const GLOBS = 200
const AT_ONCE = 8
const SILENT = 1024
const BODY_BYTES = 1024 * 1024
const DOWNLOADS = 8
/**
 * The outside machine's other address, so that unauthenticated clients differ from the measured
 * one.
 */
const STRANGER = OUTSIDE_SERVER

/** The API's address, and a client of it with a key. */
export interface Target {
  readonly endpoint: string
  readonly client: ApiClient
}

/** How often each answer came, most frequent first. */
function tally(answers: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const answer of answers) counts.set(answer, (counts.get(answer) ?? 0) + 1)
  return [...counts]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, 4)
    .map(([answer, count]) => `${count} × ${answer}`)
    .join(', ')
}

/** Repeats `work` concurrently until the time is over. */
async function concurrently(
  width: number,
  work: () => Promise<string>,
): Promise<readonly string[]> {
  const end = performance.now() + FLOOD_SECONDS * 1000
  const answers: string[] = []
  const worker = async () => {
    while (performance.now() < end) answers.push(await work())
  }
  await Promise.all(Array.from({ length: width }, worker))
  return answers
}

async function outcome(work: () => Promise<unknown>): Promise<string> {
  try {
    await work()
    return 'answered'
  } catch (error) {
    return error instanceof Error ? error.name : messageOf(error)
  }
}

/** One request without a signature. Returns the status, or what happened to the connection. */
function unsigned({ endpoint }: Target, body: Buffer): Promise<string> {
  const url = new URL(endpoint)
  const options = {
    method: 'POST',
    agent: false,
    rejectUnauthorized: false,
    timeout: 10_000,
    localAddress: STRANGER,
  }
  return new Promise((resolve) => {
    const send = url.protocol === 'https:' ? secureRequest : plainRequest
    const request = send(url, options, (response) => {
      response.resume()
      resolve(`status ${response.statusCode}`)
    })
    request.on('error', (error) => resolve('code' in error ? String(error.code) : error.message))
    request.end(body)
  })
}

export const apiAttacks: readonly Attack<Target>[] = [
  {
    name: 'api-globs',
    shared: 'the daemon’s one thread',
    tried: `DescribeTags with ${GLOBS} patterns over ${KEYS * TAGS_OF_ONE} tags, ${AT_ONCE} at once`,
    async run({ client }) {
      const names = Array.from({ length: KEYS }, (_, index) => `drill-globs-${index}`)
      const ids: string[] = []
      for (const KeyName of names) {
        const made = await client.ec2.send(
          new CreateKeyPairCommand({ KeyName, KeyType: 'ed25519' }),
        )
        ids.push(made.KeyPairId ?? '')
      }
      const Tags = Array.from({ length: TAGS_OF_ONE }, (_, index) => ({
        Key: `${'a'.repeat(100)}${index}`,
        Value: 'a'.repeat(200),
      }))
      await client.ec2.send(new CreateTagsCommand({ Resources: ids, Tags }))
      const Values = Array.from({ length: GLOBS }, (_, index) => `${'*a'.repeat(20)}*${index}b`)
      const ask = () =>
        outcome(() =>
          client.ec2.send(new DescribeTagsCommand({ Filters: [{ Name: 'value', Values }] })),
        )
      const answers = await concurrently(AT_ONCE, ask)
      for (const KeyName of names)
        await outcome(() => client.ec2.send(new DeleteKeyPairCommand({ KeyName })))
      return tally(answers)
    },
  },
  {
    name: 'api-silent',
    shared: 'connections of the API',
    tried: `${SILENT} TCP connections that never say a word`,
    async run({ endpoint }) {
      const { hostname, port } = new URL(endpoint)
      let closed = 0
      const sockets = Array.from({ length: SILENT }, () => {
        const socket = connect({ port: Number(port), host: hostname, localAddress: STRANGER })
        socket.on('error', () => undefined)
        socket.on('close', () => {
          closed += 1
        })
        return socket
      })
      await delay(FLOOD_SECONDS * 1000)
      const answer = `${SILENT - closed} of them open after ${FLOOD_SECONDS} s`
      for (const socket of sockets) socket.destroy()
      return answer
    },
  },
  {
    name: 'api-unsigned',
    shared: 'database, memory and log',
    tried: `bodies of 1 MiB without a signature, ${AT_ONCE} at once`,
    async run(context) {
      const body = Buffer.alloc(BODY_BYTES, 'Action=DescribeInstances&Version=2016-11-15&x=')
      return tally(await concurrently(AT_ONCE, () => unsigned(context, body)))
    },
  },
  {
    name: 'api-rsa',
    shared: 'threads that make keys',
    tried: `CreateKeyPair of type rsa, ${AT_ONCE} at once`,
    async run({ client }) {
      let made = 0
      const answers = await concurrently(AT_ONCE, () => {
        const KeyName = `drill-rsa-${made++}`
        return outcome(() => client.ec2.send(new CreateKeyPairCommand({ KeyName, KeyType: 'rsa' })))
      })
      for (let index = 0; index < made; index++)
        await outcome(() =>
          client.ec2.send(new DeleteKeyPairCommand({ KeyName: `drill-rsa-${index}` })),
        )
      return tally(answers)
    },
  },
  {
    name: 'api-downloads',
    shared: 'downloads of images',
    tried: `${DOWNLOADS} images from a server that sends a byte now and then`,
    async run({ client }) {
      await using server = await serveSlowImages()
      const registered: string[] = []
      const answers = await Promise.all(
        Array.from({ length: DOWNLOADS }, (_, index) => {
          const Name = `drill-slow-${index}`
          const ImageLocation = `http://${SLOW_IMAGES}/${Name}.raw`
          return outcome(async () => {
            const made = await client.ec2.send(new RegisterImageCommand({ Name, ImageLocation }))
            registered.push(made.ImageId ?? '')
          })
        }),
      )
      await delay(FLOOD_SECONDS * 1000)
      const got = `${tally(answers)}; ${server.begun()} downloads begun, ${server.open()} under way after ${FLOOD_SECONDS} s`
      for (const ImageId of registered)
        await outcome(() => client.ec2.send(new DeregisterImageCommand({ ImageId })))
      if (server.begun() === 0) throw new Error(`nothing was downloaded: ${got}`)
      return got
    },
  },
]

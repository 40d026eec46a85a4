/** The servers that `scripts/bench api` compares, each in a process of its own. */
import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { z } from 'zod'
import { endChild, messageOf } from '../../kit/child.ts'
import { eventually } from '../../kit/netns.ts'
import { askOnce } from './load.ts'
import { type Client, formRequest } from './requests.ts'

/** A server of the EC2 API. */
export interface Peer {
  readonly name: string
  /** How its requests are signed. */
  readonly client: Client
  /** An instance type that it has. */
  readonly type: string
  /** The longest pause of its event loop since the last call, in milliseconds. */
  readonly pauseMs?: () => Promise<number>
}

const started = z.object({ port: z.int(), id: z.string(), secret: z.string() })
const paused = z.object({ pauseMs: z.number() })
const MOTO_START_MS = 60_000
/** Moto does not check signatures. */
const MOTO_KEY = { id: 'AKIDEXAMPLE', secret: 'secret' }

/** Atoll on a simulated machine, with its records below `directory`. */
export async function startAtoll(
  name: string,
  directory: string,
  parts: AsyncDisposableStack,
): Promise<Peer> {
  mkdirSync(directory)
  const log = openSync(join(directory, 'log'), 'w')
  const child = fork(join(import.meta.dirname, 'atoll-server.ts'), [directory], {
    stdio: ['ignore', 'inherit', log, 'ipc'],
  })
  closeSync(log)
  parts.defer(() => endChild(child))
  const { port, id, secret } = started.parse(await messageOf(child, name))
  return {
    ...{ name, type: 'at1.small', client: { port, id, secret } },
    async pauseMs() {
      child.send('pause')
      return paused.parse(await messageOf(child, name)).pauseMs
    },
  }
}

/** Moto's server, or null where it is not installed. */
export async function startMoto(parts: AsyncDisposableStack): Promise<Peer | null> {
  const port = await freePort()
  const child = spawn('moto_server', ['--host', '127.0.0.1', '--port', String(port)], {
    stdio: 'ignore',
    env: { ...process.env, PATH: [process.env['PATH'], '/usr/local/bin'].join(delimiter) },
  })
  const isThere = await once(child, 'spawn').then(
    () => true,
    () => false,
  )
  if (!isThere) return null
  parts.defer(() => endChild(child))
  const client = { port, ...MOTO_KEY }
  const isUp = async () => {
    await askOnce(port, formRequest(client, { Action: 'DescribeVpcs' }))
    return true
  }
  await eventually('moto answers', () => isUp().catch(() => false), MOTO_START_MS)
  return { name: 'moto', client, type: 't3.micro' }
}

/** The port of a bare server that answers with so many bytes. */
export async function startBareServer(bytes: number, parts: AsyncDisposableStack): Promise<number> {
  const child = fork(join(import.meta.dirname, 'bare-server.ts'), [String(bytes)])
  parts.defer(() => endChild(child))
  return started.pick({ port: true }).parse(await messageOf(child, 'the bare server')).port
}

/** A port that is free now. Moto takes no other way to choose one. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (typeof address !== 'object' || address === null) throw new Error('a socket has no port')
  return address.port
}

/**
 * Clients: several for each host. Each sends one request after the other, and has its own instances
 * and names.
 */
import { setTimeout as delay } from 'node:timers/promises'
import {
  CreateKeyPairCommand,
  CreateTagsCommand,
  DeleteKeyPairCommand,
  DescribeInstancesCommand,
  DescribeKeyPairsCommand,
  DescribeTagsCommand,
  RunInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2'
import { smallType } from '../../kit/cloud.ts'
import { type ApiClient, statusOf } from '../api.ts'
import type { Event, Outcome } from './history.ts'
import type { Random } from './random.ts'

const REQUEST_MS = 5000
const PAUSE_MS = 400
const MOST_INSTANCES = 3
/** How often a launch is repeated with its token at another host. */
const REPEATED = 0.4

interface Told {
  readonly outcome: Outcome
  readonly host: string
  readonly at: number
  readonly endedAt: number
  readonly why?: string
}

/** A refusal means that nothing has happened. EC2 also uses 500 for insufficient capacity. */
function isRefusal(error: unknown): boolean {
  if (error instanceof Error && error.name === 'InsufficientInstanceCapacity') return true
  const status = statusOf(error)
  return status !== null && status < 500
}

/** The state of one worker. */
interface Worker {
  readonly name: string
  readonly clients: readonly ApiClient[]
  readonly image: string
  readonly random: Random
  readonly history: Event[]
  /** Instances and keys that it has created and not removed. */
  readonly mine: string[]
  readonly keys: string[]
  /** A number that it has not used. */
  next(): number
}

/** Works until it is stopped, and records everything in `history`. */
export async function work(
  name: string,
  clients: readonly ApiClient[],
  image: string,
  random: Random,
  history: Event[],
  stopping: AbortSignal,
): Promise<void> {
  const mine: string[] = []
  let serial = 0
  const next = () => serial++
  const worker: Worker = { name, clients, image, random, history, mine, keys: [], next }
  while (!stopping.aborted) {
    const id = random.pick(mine)
    const dice = random.next()
    if (id === undefined || (dice < 0.25 && mine.length < MOST_INSTANCES)) await launch(worker)
    else if (dice < 0.45) await change(worker, 'terminate', id)
    else if (dice < 0.6) await change(worker, random.next() < 0.5 ? 'stop' : 'start', id)
    else if (dice < 0.85) await tag(worker, id)
    else await key(worker)
    await delay(random.between(0, PAUSE_MS))
  }
}

async function ask<T>(
  { clients, random }: Worker,
  request: (client: ApiClient, abortSignal: AbortSignal) => Promise<T>,
  host?: string,
): Promise<Told & { readonly answer: T | null }> {
  const client = clients.find((one) => one.host === host) ?? random.pick(clients)
  if (client === undefined) throw new Error('no clients')
  const at = performance.now()
  const told = (outcome: Outcome, answer: T | null, why?: string) => ({
    outcome,
    answer,
    host: client.host,
    at,
    endedAt: performance.now(),
    ...(why === undefined ? {} : { why }),
  })
  try {
    return told('ok', await request(client, AbortSignal.timeout(REQUEST_MS)))
  } catch (error) {
    return told(isRefusal(error) ? 'refused' : 'unknown', null, String(error))
  }
}

/** Reads what was just written, at `host` or at any. */
async function look<T>(
  worker: Worker,
  of: string,
  request: (ec2: ApiClient['ec2'], abortSignal: AbortSignal) => Promise<T>,
  isThere: (answer: T) => boolean,
  host?: string,
): Promise<void> {
  const { answer, ...told } = await ask(worker, ({ ec2 }, signal) => request(ec2, signal), host)
  worker.history.push({ kind: 'read', of, saw: answer !== null && isThere(answer), ...told })
}

async function launch(worker: Worker): Promise<void> {
  const { name, image, random, history, mine } = worker
  const token = `${name}-${worker.next()}`
  const count = random.next() < 0.3 ? 2 : 1
  const once = async () => {
    const { answer, ...told } = await ask(worker, ({ ec2 }, abortSignal) =>
      ec2.send(
        new RunInstancesCommand({
          ImageId: image,
          InstanceType: smallType,
          MinCount: count,
          MaxCount: count,
          ClientToken: token,
        }),
        { abortSignal },
      ),
    )
    const ids = (answer?.Instances ?? []).map(({ InstanceId = '' }) => InstanceId)
    history.push({ kind: 'launch', token, count, ids, ...told })
    const InstanceIds = [...ids]
    if (ids.length > 0)
      await look(
        worker,
        `${ids.join(' ')} launched at ${told.host}`,
        (ec2, abortSignal) =>
          ec2.send(new DescribeInstancesCommand({ InstanceIds }), { abortSignal }),
        ({ Reservations = [] }) => Reservations.length > 0,
      )
    return { ids, outcome: told.outcome }
  }
  const repeat = random.next() < REPEATED
  // At the same time at another host, like an impatient client.
  const answers = await Promise.all(repeat ? [once(), once()] : [once()])
  const told = answers.find(({ outcome }) => outcome !== 'unknown') ?? (await once())
  mine.push(...told.ids)
}

async function change(
  worker: Worker,
  kind: 'stop' | 'start' | 'terminate',
  id: string,
): Promise<void> {
  const { history, mine } = worker
  const input = { InstanceIds: [id] }
  const { answer: _, ...told } = await ask<unknown>(worker, ({ ec2 }, abortSignal) => {
    switch (kind) {
      case 'stop':
        return ec2.send(new StopInstancesCommand(input), { abortSignal })
      case 'start':
        return ec2.send(new StartInstancesCommand(input), { abortSignal })
      case 'terminate':
        return ec2.send(new TerminateInstancesCommand(input), { abortSignal })
    }
  })
  history.push({ kind, id, ...told })
  if (kind === 'terminate' && told.outcome !== 'refused') mine.splice(mine.indexOf(id), 1)
}

async function tag(worker: Worker, id: string): Promise<void> {
  const { name, history } = worker
  const value = String(worker.next())
  const Tags = [{ Key: name, Value: value }]
  const { answer: _, ...told } = await ask(worker, ({ ec2 }, abortSignal) =>
    ec2.send(new CreateTagsCommand({ Resources: [id], Tags }), { abortSignal }),
  )
  history.push({ kind: 'tag', id, key: name, value, ...told })
  if (told.outcome !== 'ok') return
  const Filters = [{ Name: 'resource-id', Values: [id] }]
  // At another host a list may come from that host's replica, which lacks it.
  await look(
    worker,
    `${name}=${value} of ${id} written at ${told.host}`,
    (ec2, abortSignal) => ec2.send(new DescribeTagsCommand({ Filters }), { abortSignal }),
    ({ Tags: found = [] }) => found.some(({ Key, Value }) => Key === name && Value === value),
    told.host,
  )
}

async function key(worker: Worker): Promise<void> {
  const { name, random, history, keys } = worker
  const old = random.next() < 0.5 ? keys.pop() : undefined
  const KeyName = old ?? `${name}-${worker.next()}`
  const kind = old === undefined ? 'create-key' : 'delete-key'
  const { answer: _, ...told } = await ask<unknown>(worker, ({ ec2 }, abortSignal) =>
    old === undefined
      ? ec2.send(new CreateKeyPairCommand({ KeyName, KeyType: 'ed25519' }), { abortSignal })
      : ec2.send(new DeleteKeyPairCommand({ KeyName }), { abortSignal }),
  )
  history.push({ kind, name: KeyName, ...told })
  if (kind === 'create-key') keys.push(KeyName)
  if (told.outcome !== 'ok') return
  await look(
    worker,
    `${kind} of ${KeyName} at ${told.host}`,
    (ec2, abortSignal) => ec2.send(new DescribeKeyPairsCommand({}), { abortSignal }),
    ({ KeyPairs = [] }) =>
      KeyPairs.some((one) => one.KeyName === KeyName) === (kind === 'create-key'),
    told.host,
  )
}

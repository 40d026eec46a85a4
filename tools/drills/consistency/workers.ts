/** Those who ask: several at each host, each one request after the other, and each with instances and names of its own. */
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
/** How often a launch is asked for again with its token, somewhere else. */
const REPEATED = 0.4

interface Told {
  readonly outcome: Outcome
  readonly host: string
  readonly at: number
  readonly endedAt: number
  readonly why?: string
}

/** Said no, and so nothing has happened. EC2 says 500 when it has no room, too. */
function isRefusal(error: unknown): boolean {
  if (error instanceof Error && error.name === 'InsufficientInstanceCapacity') return true
  const status = statusOf(error)
  return status !== null && status < 500
}

/** Works until told to stop, writing into `history`. */
export async function work(
  name: string,
  clients: readonly ApiClient[],
  image: string,
  random: Random,
  history: Event[],
  stopping: AbortSignal,
): Promise<void> {
  const mine: string[] = []
  const keys: string[] = []
  let serial = 0

  async function ask<T>(
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

  /** Looks at what was just written, at `host` or at any. */
  async function look<T>(
    of: string,
    request: (ec2: ApiClient['ec2'], abortSignal: AbortSignal) => Promise<T>,
    isThere: (answer: T) => boolean,
    host?: string,
  ): Promise<void> {
    const { answer, ...told } = await ask(({ ec2 }, signal) => request(ec2, signal), host)
    history.push({ kind: 'read', of, saw: answer !== null && isThere(answer), ...told })
  }

  async function launch(): Promise<void> {
    const token = `${name}-${serial++}`
    const count = random.next() < 0.3 ? 2 : 1
    const once = async () => {
      const { answer, ...told } = await ask(({ ec2 }, abortSignal) =>
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
          `${ids.join(' ')} launched at ${told.host}`,
          (ec2, abortSignal) =>
            ec2.send(new DescribeInstancesCommand({ InstanceIds }), { abortSignal }),
          ({ Reservations = [] }) => Reservations.length > 0,
        )
      return { ids, outcome: told.outcome }
    }
    const repeat = random.next() < REPEATED
    // At the same time at another host, which is what clients do that lose patience.
    const answers = await Promise.all(repeat ? [once(), once()] : [once()])
    const told = answers.find(({ outcome }) => outcome !== 'unknown') ?? (await once())
    mine.push(...told.ids)
  }

  async function change(kind: 'stop' | 'start' | 'terminate', id: string): Promise<void> {
    const input = { InstanceIds: [id] }
    const { answer: _, ...told } = await ask<unknown>(({ ec2 }, abortSignal) => {
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

  async function tag(id: string): Promise<void> {
    const value = String(serial++)
    const Tags = [{ Key: name, Value: value }]
    const { answer: _, ...told } = await ask(({ ec2 }, abortSignal) =>
      ec2.send(new CreateTagsCommand({ Resources: [id], Tags }), { abortSignal }),
    )
    history.push({ kind: 'tag', id, key: name, value, ...told })
    if (told.outcome !== 'ok') return
    const Filters = [{ Name: 'resource-id', Values: [id] }]
    // A list: at another host it may be that host's copy's, which does not know.
    await look(
      `${name}=${value} of ${id} written at ${told.host}`,
      (ec2, abortSignal) => ec2.send(new DescribeTagsCommand({ Filters }), { abortSignal }),
      ({ Tags: found = [] }) => found.some(({ Key, Value }) => Key === name && Value === value),
      told.host,
    )
  }

  async function key(): Promise<void> {
    const old = random.next() < 0.5 ? keys.pop() : undefined
    const KeyName = old ?? `${name}-${serial++}`
    const kind = old === undefined ? 'create-key' : 'delete-key'
    const { answer: _, ...told } = await ask<unknown>(({ ec2 }, abortSignal) =>
      old === undefined
        ? ec2.send(new CreateKeyPairCommand({ KeyName, KeyType: 'ed25519' }), { abortSignal })
        : ec2.send(new DeleteKeyPairCommand({ KeyName }), { abortSignal }),
    )
    history.push({ kind, name: KeyName, ...told })
    if (kind === 'create-key') keys.push(KeyName)
    if (told.outcome !== 'ok') return
    await look(
      `${kind} of ${KeyName} at ${told.host}`,
      (ec2, abortSignal) => ec2.send(new DescribeKeyPairsCommand({}), { abortSignal }),
      ({ KeyPairs = [] }) =>
        KeyPairs.some((one) => one.KeyName === KeyName) === (kind === 'create-key'),
      told.host,
    )
  }

  while (!stopping.aborted) {
    const id = random.pick(mine)
    const dice = random.next()
    if (id === undefined || (dice < 0.25 && mine.length < MOST_INSTANCES)) await launch()
    else if (dice < 0.45) await change('terminate', id)
    else if (dice < 0.6) await change(random.next() < 0.5 ? 'stop' : 'start', id)
    else if (dice < 0.85) await tag(id)
    else await key()
    await delay(random.between(0, PAUSE_MS))
  }
}

/** The shared address of the API in a lab, and how long its clients got no answer. */
import { Agent } from 'node:https'
import { resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { DescribeInstancesCommand, EC2Client } from '@aws-sdk/client-ec2'
import type { LabCredentials } from '../../tools/drills/api.ts'
import type { LabHost } from '../../tools/lab/host.ts'
import type { Lab } from '../../tools/lab/lab.ts'
import { until } from '../../tools/lab/run.ts'

/** On the network outside, where clients are. No host of the lab has it. */
export const SHARED_ADDRESS = '198.51.100.100'
const ROOT = resolve(import.meta.dirname, '../..')
const STARTED_MS = 60_000
const SETTLED_MS = 60_000
const CONNECT_MS = 250
const ANSWER_MS = 1000
const BETWEEN_MS = 50

/** Runs functions of scripts/lib-api-address.sh on a host, as scripts/install does. */
export function runScript(host: LabHost, script: string): Promise<string> {
  const lib = `ROOT=${ROOT} CURRENT=${ROOT} ETC=/etc/atoll CONFIG=/etc/atoll/atoll.yaml LOG=/var/log/install.log
    . $ROOT/scripts/lib.sh; . $ROOT/scripts/lib-api-address.sh
    mkdir -p /var/log/atoll`
  const argv = ['bash', '-euo', 'pipefail', '-c', `${lib}\n${script}`]
  return host.must(argv, { timeoutMs: STARTED_MS })
}

/** The hosts that have the address on a link. */
export async function holders(lab: Lab): Promise<readonly LabHost[]> {
  const found = await Promise.all(
    lab.hosts.map(async (host) => {
      const { stdout } = await host.exec([
        'ip',
        '-o',
        '-4',
        'address',
        'show',
        'to',
        SHARED_ADDRESS,
      ])
      return stdout === '' ? [] : [host]
    }),
  )
  return found.flat()
}

/** Waits until one host has the address, and returns it. */
export function oneHolder(lab: Lab): Promise<LabHost> {
  return until('one host has the address', SETTLED_MS, async () => {
    const [holder, ...others] = await holders(lab)
    return holder === undefined || others.length > 0 ? null : holder
  })
}

/** Reads through an address, each with a connection of its own, until it is disposed of. */
export interface Reads extends AsyncDisposable {
  /** Longest time without an answer from `sinceMs` (performance.now) on, in milliseconds. */
  longestGapMs(sinceMs: number): number
  /** Waits for an answer to a read that begins after now. */
  nextAnswer(): Promise<void>
}

/** Begins to read. The calling thread must be outside, where the address is. */
export function startReads(
  endpoint: string,
  { ca, region, ...credentials }: LabCredentials,
): Reads {
  const ec2 = new EC2Client({
    ...{ endpoint, region, credentials, maxAttempts: 1 },
    requestHandler: {
      httpsAgent: new Agent({ keepAlive: false, ca }),
      connectionTimeout: CONNECT_MS,
    },
  })
  const answeredAt: number[] = []
  let newestBegan = 0
  let ended = false
  const read = async () => {
    const began = performance.now()
    const abortSignal = AbortSignal.timeout(ANSWER_MS)
    await ec2.send(new DescribeInstancesCommand({}), { abortSignal }).then(
      () => {
        answeredAt.push(performance.now())
        newestBegan = Math.max(newestBegan, began)
      },
      () => undefined,
    )
  }
  const reading = (async () => {
    const under = new Set<Promise<void>>()
    while (!ended) {
      const one = read().finally(() => under.delete(one))
      under.add(one)
      await delay(BETWEEN_MS)
    }
    await Promise.all(under)
  })()
  return {
    longestGapMs(sinceMs) {
      const times = [sinceMs, ...answeredAt.filter((at) => at >= sinceMs), performance.now()]
      return Math.max(...times.slice(1).map((at, index) => at - (times[index] ?? at)))
    },
    async nextAnswer() {
      const now = performance.now()
      await until('a read is answered', SETTLED_MS, async () => (newestBegan > now ? true : null))
    },
    async [Symbol.asyncDispose]() {
      ended = true
      await reading
      ec2.destroy()
    },
  }
}

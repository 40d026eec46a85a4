/**
 * A witness outside of the cloud, to which containers speak all the time: it sees when an instance
 * runs, on which host, and whether it ever runs twice.
 *
 * A container sends a datagram every 20 ms, with the name of its instance and a random word of its
 * start. So each start is another run. It has no floating IP, so the address that it comes
 * from is its host's.
 *
 * A virtual machine that moves while it runs takes its run with it. So it counts, and no number may
 * come from two hosts: two copies of it would go on from the same one.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { Lab } from '../lab/lab.ts'
import { OUTSIDE_SERVER } from '../lab/layout.ts'
import { type ListClient, localImage } from './api.ts'
import { shareImage } from './images.ts'

const IMAGE = 'atoll-beacon:static'
const SAMPLE = 'atoll-sample:static'
const PORT = 20_020
const EVERY_US = 20_000
const COMMIT_MS = 60_000
/** An instance's host name is its id. The datagrams are syslogd's (RFC 3164). */
const SPEAK = `words="$(hostname) $(cat /proc/sys/kernel/random/uuid)"
syslogd -R ${OUTSIDE_SERVER}:${PORT} -O /dev/null
while :; do
  while :; do echo "$words"; usleep ${EVERY_US}; done | logger
  usleep ${EVERY_US}
done`
const WORDS = /(i-[0-9a-f]{17}) ([0-9a-f]{8}-[0-9a-f-]{27})(?: (\d+))?/

/** A command that has a virtual machine speak, and count, in the background. */
export const speakAndCount = (instance: string) =>
  `words="${instance} $(cat /proc/sys/kernel/random/uuid)"; syslogd -R ${OUTSIDE_SERVER}:${PORT} -O /dev/null; i=0; (while :; do i=$((i+1)); echo "$words $i"; usleep ${EVERY_US}; done | logger &)`

/** One process of an instance, as far as it was heard. Times are those of `performance.now()`. */
export interface Run {
  readonly run: string
  /** The address of its host; of one that has moved, of the host where it spoke last. */
  from: string
  readonly firstAt: number
  lastAt: number
  /** Its numbers, by the address that they came from first. */
  readonly counted: Map<string, string>
}

export interface Witness {
  /** The runs of an instance, in the order in which they began to speak. */
  runs(instance: string): readonly Run[]
  /**
   * Where an instance spoke though a later run of it had begun, and numbers that two hosts sent;
   * empty if that never happened.
   */
  overlaps(): readonly string[]
  close(): void
}

/** Makes the image of the speaking container on all hosts, and returns its id. */
export async function beaconImage(lab: Lab, list: ListClient): Promise<string> {
  const [first] = lab.hosts
  if (first === undefined) throw new Error('a lab without hosts')
  if ((await first.exec(['docker', 'image', 'inspect', IMAGE])).exitCode !== 0) {
    const command = JSON.stringify(['/bin/sh', '-c', SPEAK])
    const made = (await first.must(['docker', 'create', SAMPLE])).trim()
    const commit = ['docker', 'commit', '--change', `CMD ${command}`, made, IMAGE]
    await first.must(commit, { timeoutMs: COMMIT_MS })
    await first.must(['docker', 'rm', made])
  }
  await shareImage(lab, IMAGE)
  return await localImage(list, IMAGE)
}

/** Listens outside, where this process is. */
export async function openWitness(): Promise<Witness> {
  const all = new Map<string, Run[]>()
  const overlaps = new Map<string, string>()
  const socket = createSocket('udp4')
  socket.on('message', (bytes, { address }) => {
    const now = performance.now()
    const [, instance, run, number] = WORDS.exec(bytes.toString('latin1')) ?? []
    if (instance === undefined || run === undefined) return
    const runs = all.get(instance) ?? []
    all.set(instance, runs)
    const known = runs.find((one) => one.run === run)
    const said = known ?? { run, from: address, firstAt: now, lastAt: now, counted: new Map() }
    if (known === undefined) runs.push(said)
    said.lastAt = now
    if (number !== undefined) {
      said.from = address
      const first = said.counted.get(number) ?? address
      said.counted.set(number, first)
      if (first !== address)
        overlaps.set(
          `${instance} ${number}`,
          `doubled: ${instance} said ${number} from ${first} and from ${address}`,
        )
    }
    const last = runs.at(-1)
    if (known === undefined || last === undefined || last === known) return
    const ms = Math.round(now - last.firstAt)
    const text = `doubled: ${instance} spoke from ${known.from} ${ms} ms after it had begun at ${last.from}`
    overlaps.set(`${instance} ${run} ${last.run}`, text)
  })
  socket.bind(PORT, OUTSIDE_SERVER)
  await once(socket, 'listening')
  return {
    runs: (instance) => all.get(instance) ?? [],
    overlaps: () => [...overlaps.values()],
    close: () => socket.close(),
  }
}

/**
 * Drills of instances that survive their host (`atoll:recover`): what nobody may mistake for the
 * loss of a host, and what must not let one run twice.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { LabHost } from '../lab/host.ts'
import { untilReady } from '../lab/ready.ts'
import type { Drill, DrillContext } from './drill.ts'
import {
  drop,
  FENCED,
  mended,
  type Speakers,
  undrop,
  untilElsewhere,
  victimOf,
  withSpeakers,
} from './speakers.ts'

/** Longer than any permission lasts. */
const HANG_MS = 30_000
/** No cut begins later than this after the first one. */
const CUTS_FOR_MS = 300_000
/** How long, in turn. A permission lasts 8 seconds. */
const CUTS_MS = [2_000, 5_000, 9_000, 14_000]
const SHORT_MS = 5_000
const CUTS_LIMIT_MS = 900_000

const again = { label: 'containers that were started again', unit: '' } as const
const shell = (host: LabHost, script: string) => host.must(['sh', '-c', script])

export const storeGone: Drill = {
  ...FENCED,
  name: 'store-gone',
  about: `no host reaches a database for ${HANG_MS / 1000} seconds`,
  answer:
    'The hosts still give each other permission, so the instances go on. Nothing could be taken over meanwhile, because only the records say who may.',
  run: (context) =>
    withSpeakers(context, async (speakers) => {
      const { lab, fault, figure } = context
      const before = speakers.newest()
      fault()
      await drop(lab.hosts, 'tcp dport 3306')
      await delay(HANG_MS)
      await undrop(lab.hosts)
      const value = await mended(context, speakers, { before, ids: speakers.ids })
      figure({ ...again, value, limit: 0 })
    }),
}

export const storeOfMinority: Drill = {
  ...FENCED,
  name: 'store-of-minority',
  about: `only the host of containers with the tag \`atoll:recover\` reaches a database, and it hears nothing of the other hosts' permission, for ${HANG_MS / 1000} seconds`,
  answer:
    'The database is not enough: without permission of most hosts it ends them. The others may take them over but cannot write that down. So they run nowhere until a part is back, and never twice.',
  run: (context) =>
    withSpeakers(context, async (speakers) => {
      const { lab, excuse, fault, figure } = context
      const { host, there } = victimOf(lab, speakers)
      const before = speakers.newest()
      const excused = excuse(host.name, 'services')
      fault()
      await drop([host], 'udp dport 8772')
      await drop(
        lab.hosts.filter((one) => one !== host),
        'tcp dport 3306',
      )
      await delay(HANG_MS)
      const silent = there.filter(
        (id) => performance.now() - (speakers.newest().get(id)?.lastAt ?? 0) > HANG_MS / 3,
      )
      figure({ label: 'of its containers, silent in the end', value: silent.length, unit: '' })
      await undrop(lab.hosts)
      const healedAt = performance.now()
      figure({ ...again, value: await mended(context, speakers, { before, ids: there, excused }) })
      figure({ label: 'all speak again after', value: performance.now() - healedAt, unit: 'ms' })
    }),
}

export const diskHung: Drill = {
  ...FENCED,
  name: 'disk-hung',
  about: `the disk of the host of containers with the tag \`atoll:recover\` takes no write for ${HANG_MS / 1000} seconds`,
  answer:
    'The process `fence` writes nothing to keep its permission, so the host keeps it, though its daemon may hang. Running instances go on with DNS and DHCP. The database node on that disk stops with it. Hosts that used it go to the next one, and the others go on committing. This host has no API until its disk is back. The API of all other hosts goes on; what does not come from the database soon comes from their copies of the records.',
  run: (context) =>
    withSpeakers(context, async (speakers) => {
      const { lab, excuse, fault, figure } = context
      const { host, there } = victimOf(lab, speakers)
      const before = speakers.newest()
      const excused = excuse(host.name, 'services')
      fault()
      // Never the disk of the machine that the lab runs on.
      await shell(host, 'findmnt -no SOURCE /var/lib | grep -q ^/dev/loop')
      await host.must(['fsfreeze', '--freeze', '/var/lib'])
      await delay(HANG_MS)
      await host.must(['fsfreeze', '--unfreeze', '/var/lib'])
      figure({ ...again, value: await mended(context, speakers, { before, ids: there, excused }) })
    }),
}

export const unkillable: Drill = {
  ...FENCED,
  name: 'unkillable',
  about:
    'a container with the tag `atoll:recover` cannot be ended, because its control group is frozen, while the fabric of its host is cut; both are mended when it runs elsewhere',
  answer:
    'The kernel lets none of its packets out without permission, whether it was ended or not. When it can run again, it is ended before it is heard.',
  run: (context) =>
    withSpeakers(context, async (speakers) => {
      const { lab, excuse, fault } = context
      const { host, there } = victimOf(lab, speakers)
      excuse(host.name, 'fabric')
      fault()
      const lostAt = performance.now()
      await shell(host, pause(there, 'pause'))
      await host.cut()
      await untilElsewhere(context, speakers, there, lostAt)
      await shell(host, pause(there, 'unpause'))
      await host.heal()
      await mended(context, speakers, { before: speakers.newest(), ids: there })
    }),
}

/** Pauses containers of these instances, or lets them go on if they are still there. */
const pause = (ids: readonly string[], what: 'pause' | 'unpause') =>
  ids
    .map(
      (id) =>
        `for c in $(docker ps -q --filter label=atoll.instance=${id}); do docker ${what} $c ${what === 'pause' ? '' : '|| true'}; done`,
    )
    .join('; ')

export const rollingCuts: Drill = {
  ...FENCED,
  name: 'rolling-cuts',
  about: `the fabric of one host after the other is cut, for ${CUTS_MS.map((ms) => ms / 1000).join(', ')} seconds in turn, for ${CUTS_FOR_MS / 60_000} minutes; the next cut comes when all speak again and the engines are whole`,
  answer:
    'A cut that is shorter than a permission costs nothing. After a longer one the instances run elsewhere. None runs twice.',
  limitMs: CUTS_LIMIT_MS,
  run: (context) =>
    withSpeakers(context, async (speakers) => {
      const { fault, figure } = context
      const startedBy = { short: 0, long: 0 }
      const againMs: number[] = []
      fault()
      const endMs = performance.now() + CUTS_FOR_MS
      for (let cut = 0; performance.now() < endMs; cut += 1) {
        const ms = CUTS_MS[cut % CUTS_MS.length] ?? 0
        const { started, tookMs } = await cutOff(context, speakers, cut, ms)
        startedBy[ms <= SHORT_MS ? 'short' : 'long'] += started
        againMs.push(tookMs)
      }
      figure({ label: 'cuts', value: againMs.length, unit: '' })
      const short = `containers that were started again by cuts of up to ${SHORT_MS / 1000} s`
      figure({ label: short, value: startedBy.short, unit: '', limit: 0 })
      figure({ label: 'by longer ones', value: startedBy.long, unit: '' })
      const longest = 'longest time from the end of a cut until all spoke with permission'
      figure({ label: longest, value: Math.max(...againMs), unit: 'ms' })
    }),
}

/** Cuts the next host off. Says how many were started again, and how long all took to speak. */
async function cutOff(
  context: DrillContext,
  speakers: Speakers,
  cut: number,
  ms: number,
): Promise<{ readonly started: number; readonly tookMs: number }> {
  const { lab, excuse, progress } = context
  const host = lab.hosts[cut % lab.hosts.length]
  if (host === undefined) throw new Error('a lab without hosts')
  const before = speakers.newest()
  progress(`cut ${cut + 1}: ${host.name} is cut off for ${ms / 1000} s`)
  const excused = excuse(host.name, 'fabric')
  await host.cut()
  await delay(ms)
  await host.heal()
  const healedAt = performance.now()
  const started = await mended(context, speakers, { before, ids: speakers.ids, excused })
  const tookMs = performance.now() - healedAt
  await untilReady(lab)
  return { started, tookMs }
}

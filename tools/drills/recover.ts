/**
 * Drills of instances that survive their host (`atoll:recover`): their host is lost, cut off or
 * frozen.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { LabHost } from '../lab/host.ts'
import type { Drill, DrillContext } from './drill.ts'
import { untilMachinesAnswer, untilOwnAnswer } from './hosts.ts'
import type { FaultWindow } from './probe-losses.ts'
import {
  drop,
  FENCED,
  mended,
  type Speakers,
  undrop,
  untilAllMayRun,
  untilElsewhere,
  victimOf,
  withSpeakers,
} from './speakers.ts'

/** Longer than any permission lasts. */
const STORE_CUT_MS = 30_000
const FREEZES_MS = [5_000, 11_000, 20_000, 60_000]
const MANY = 30

/** Loses a host in some way until its instances run elsewhere. */
async function lose(
  context: DrillContext,
  what: FaultWindow['what'],
  ways: { fail(host: LabHost): Promise<void>; mend(host: LabHost): Promise<void> },
  which: { readonly count?: number; readonly together?: boolean } = {},
): Promise<void> {
  const { lab, excuse, fault, healed, progress } = context
  const loseOne = async (speakers: Speakers) => {
    const { host, there } = victimOf(lab, speakers)
    progress(`${host.name} is the host of ${there.length} of them`)
    excuse(host.name, what)
    fault()
    const lostAt = performance.now()
    await ways.fail(host)
    await untilElsewhere(context, speakers, there, lostAt)
    progress(`${host.name} comes back`)
    healed()
    await ways.mend(host)
    await untilAllMayRun(lab)
  }
  await withSpeakers(context, loseOne, which)
}

/** Freezes something on the host of a speaker for longer and longer. */
async function freeze(
  context: DrillContext,
  what: string,
  ways: {
    readonly excused: FaultWindow['what'] | null
    /** A script that sends a signal, which is its first argument. */
    readonly script: string
  },
): Promise<void> {
  const { lab, excuse, fault, figure, progress } = context
  await withSpeakers(context, async (speakers) => {
    for (const ms of FREEZES_MS) {
      await untilAllMayRun(lab)
      const { host } = victimOf(lab, speakers)
      const before = speakers.newest()
      progress(`${what} of ${host.name} is stopped for ${ms / 1000} s`)
      const excused = ways.excused === null ? null : excuse(host.name, ways.excused)
      fault()
      const send = (signal: string) => host.must(['sh', '-c', ways.script, signal])
      await send('STOP')
      await delay(ms)
      await send('CONT')
      figure({
        label: `containers that were started again when ${what} was stopped for ${ms / 1000} s`,
        value: await mended(context, speakers, { before, ids: speakers.ids, excused }),
        unit: '',
      })
    }
  })
}

export const recoverHostLoss: Drill = {
  ...FENCED,
  name: 'host-loss-recover',
  about:
    'the host of containers with the tag `atoll:recover` loses its power, and gets it back when they run elsewhere',
  answer:
    'The others start them again when most of them have not heard from the host for longer than any permission lasts. They have the same ids and addresses, and new disks. When the host is back, it removes what it had of them.',
  run: (context) => lose(context, 'all', powerCut(context)),
}

export const recoverMany: Drill = {
  ...FENCED,
  name: 'host-loss-recover-30',
  about: `of ${MANY} containers with the tag \`atoll:recover\`, as many are on one host as it has room for, which loses its power, and gets it back when they run elsewhere`,
  answer:
    'Each other host starts what it has room for, a few at a time. So the last one comes later than a single one would.',
  run: (context) => lose(context, 'all', powerCut(context), { count: MANY, together: true }),
}

/** A host loses its power, and gets it back. */
function powerCut(context: DrillContext) {
  return {
    async fail(host: LabHost): Promise<void> {
      await host.kill()
      context.probes.detach(host.name)
    },
    async mend(host: LabHost): Promise<void> {
      const on = performance.now()
      await host.start()
      await untilOwnAnswer(context, host.name)
      await untilMachinesAnswer(context, [host.name], on)
      await context.probes.attach(host.name)
    },
  }
}

export const fabricCut: Drill = {
  ...FENCED,
  name: 'fabric-cut',
  about:
    'the fabric of the host of containers with the tag `atoll:recover` is cut, and restored when they run elsewhere; its uplink stays',
  answer:
    'Nobody permits the host to go on, so the kernel drops their packets and a process ends them 8 seconds after the last permission. The others start them again. All other instances of the host go on.',
  run: (context) =>
    lose(context, 'fabric', {
      fail: (host) => host.cut(),
      mend: (host) => host.heal(),
    }),
}

export const storeCut: Drill = {
  ...FENCED,
  name: 'store-cut',
  about: `the host of containers with the tag \`atoll:recover\` reaches no database for ${STORE_CUT_MS / 1000} seconds`,
  answer:
    'Its lease runs out, and it is shown as lost. It still has permission from the other hosts, which do not consent to a takeover. So its instances go on.',
  run: (context) =>
    withSpeakers(context, async (speakers) => {
      const { lab, fault, figure } = context
      const { host, there } = victimOf(lab, speakers)
      const before = speakers.newest()
      fault()
      await drop([host], 'tcp dport 3306')
      await delay(STORE_CUT_MS)
      await undrop([host])
      figure({
        label: 'containers that were started again',
        value: await mended(context, speakers, { before, ids: there }),
        unit: '',
        limit: 0,
      })
    }),
}

const byPid = (find: string) => `for pid in $(${find}); do kill -s "$0" "$pid"; done`

export const freezeDaemon: Drill = {
  ...FENCED,
  name: 'freeze-daemon',
  about:
    'the agent on the host of a container with the tag `atoll:recover` is stopped for 5, 11, 20 and 60 seconds',
  answer:
    'The process `fence` needs no agent: it goes on asking for permission, so nothing is started again.',
  run: (context) =>
    freeze(context, 'the agent', {
      excused: 'services',
      script: byPid('s6-svstat -o pid /run/service/atolld'),
    }),
}

export const freezeFence: Drill = {
  ...FENCED,
  name: 'freeze-fence',
  about:
    'the process `fence` on the host of a container with the tag `atoll:recover` is stopped for 5, 11, 20 and 60 seconds',
  answer:
    'The agent kills a process `fence` that does not answer, and starts another one, which goes on with the permission of the one before or ends what has none.',
  run: (context) =>
    freeze(context, 'the process fence', {
      excused: null,
      script: byPid("pgrep -f -- '[-]-part fence'"),
    }),
}

export const freezeHost: Drill = {
  ...FENCED,
  name: 'freeze-host',
  about:
    'all processes on the host of a container with the tag `atoll:recover` are stopped for 5, 11, 20 and 60 seconds, as if its machine were paused',
  answer:
    'Nobody can end anything there, but the permission in the kernel runs out, so its packets are dropped. When the processes go on, `fence` ends what has been started elsewhere meanwhile before it can be heard.',
  run: (context) => freeze(context, 'everything', { excused: 'all', script: 'kill -s "$0" -- -1' }),
}

/** Drills that disturb what runs on hosts: their daemons, Docker, disks and clocks. */

import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { get } from '../kit/https.ts'
import { daemonState } from '../lab/engines.ts'
import type { LabHost } from '../lab/host.ts'
import type { Lab } from '../lab/lab.ts'
import { until } from '../lab/run.ts'
import { describe, describeAll, launch } from './api.ts'
import type { Drill, DrillContext } from './drill.ts'

const STORM_MS = 12_000
const LAUNCH_EVERY_MS = 400
const SHORTEST_RUN_MS = 300
const LONGEST_RUN_MS = 2500
/** Maximum number of launches, however long the load lasts. */
const STORM_LIMIT = 40
const HEALTHY_MS = 60_000
const LAUNCH_MS = 90_000
const DOCKER_MS = 4000
const FULL_MS = 12_000
const JUMP_MS = 12_000

async function isHealthyDaemon(host: LabHost): Promise<boolean> {
  return (await daemonState(host))?.healthy === true
}

/**
 * Launches at this rate while `work` runs. Returns the ids in answers, and counts failed requests.
 */
async function storm(
  { list, image }: DrillContext,
  work: () => Promise<void>,
): Promise<{ readonly ids: readonly string[]; readonly failed: number }> {
  const ids: string[] = []
  let failed = 0
  const ending = new AbortController()
  const blow = async () => {
    const open: Promise<void>[] = []
    for (let count = 0; !ending.signal.aborted && count < STORM_LIMIT; count++) {
      const one = launch(list, image, 1, `storm-${Date.now()}-${count}`).then(
        (answer) => {
          ids.push(...answer)
        },
        () => {
          failed += 1
        },
      )
      open.push(one)
      await delay(LAUNCH_EVERY_MS)
    }
    await Promise.all(open)
  }
  const blowing = blow()
  try {
    await work()
  } finally {
    ending.abort()
    await blowing
  }
  return { ids, failed }
}

/** Waits until all of these run. */
async function untilRunning({ list }: DrillContext, ids: readonly string[]): Promise<void> {
  const wanted = new Set(ids)
  await until('everything that was accepted runs', LAUNCH_MS, async () => {
    const running = (await describe(list)).filter(
      ({ InstanceId = '', State }) => wanted.has(InstanceId) && State?.Name === 'running',
    )
    return running.length === wanted.size ? true : null
  })
}

/** Kills the agents, one at a time at random moments, until the time is up. */
async function killDaemons({ lab }: DrillContext): Promise<number> {
  const end = performance.now() + STORM_MS
  let deaths = 0
  while (performance.now() < end) {
    const host = lab.hosts[Math.floor(Math.random() * lab.hosts.length)]
    if (host === undefined) break
    await delay(SHORTEST_RUN_MS + Math.random() * (LONGEST_RUN_MS - SHORTEST_RUN_MS))
    await host.service('atolld').crash()
    deaths += 1
    await until(`atolld on ${host.name} is healthy`, HEALTHY_MS, async () =>
      (await isHealthyDaemon(host)) ? true : null,
    )
  }
  return deaths
}

export const agentKill: Drill = {
  name: 'agent-kill',
  about: 'atolld is killed (SIGKILL) again and again, on random hosts, during many launches',
  answer:
    'Running instances go on, because links, routes, rules and containers belong to the kernel and to Docker. DHCP, DNS and metadata are answered by a process of their own. The next agent does what was accepted, once.',
  holdsApi: false,
  async run(context) {
    const { fault, healed, figure, note, progress } = context
    fault()
    let deaths = 0
    const { ids, failed } = await storm(context, async () => {
      deaths = await killDaemons(context)
      healed()
    })
    figure({ label: 'daemons killed', value: deaths, unit: '' })
    figure({ label: 'launches accepted', value: ids.length, unit: '' })
    if (failed > 0) note(`${failed} launches were not answered by any host`)
    const began = performance.now()
    progress(`${deaths} daemons killed, ${ids.length} launches accepted`)
    await untilRunning(context, ids)
    figure({ label: 'all of them run', value: performance.now() - began, unit: 'ms' })
  },
}

export const dockerdRestart: Drill = {
  name: 'dockerd-restart',
  about:
    'the Docker Engine of every host is killed while instances are launched, and starts again by itself',
  answer:
    'Containers go on without their engine (live-restore). New launches wait until the engine answers.',
  holdsApi: true,
  async run(context) {
    const { lab, fault, healed, figure } = context
    fault()
    const { ids } = await storm(context, async () => {
      await Promise.all(lab.hosts.map((host) => host.service('dockerd').crash()))
      await delay(DOCKER_MS)
      healed()
    })
    await untilRunning(context, ids)
    figure({ label: 'launches accepted, all running', value: ids.length, unit: '' })
  },
}

const FILL = '/var/lib/atoll-drill-fill'

export const diskFull: Drill = {
  name: 'disk-full',
  about:
    'the disk of h3 is filled to the last block and cleared later; it has all state of the host and of its engines',
  answer:
    'The host cannot start new instances, and its engines may leave their clusters. Its running instances go on with DHCP, DNS and metadata, because none of these writes to the disk. The other hosts go on. When there is room again, the host works as before.',
  holdsApi: true,
  async run(context) {
    const { lab, fault, healed, progress, excuse, list, image, note, figure } = context
    const host = lab.host('h3')
    excuse('h3', 'services')
    await host.must(
      [
        'sh',
        '-c',
        `fallocate -l "$(df --output=avail -B1 /var/lib | tail -n 1)" ${FILL}; cat /dev/zero >>${FILL} 2>/dev/null || true`,
      ],
      { timeoutMs: 60_000 },
    )
    fault()
    await delay(2000)
    const ids = await launch(list, image, 3, `full-${Date.now()}`).catch((error: unknown) => {
      note(`a launch failed while the disk was full: ${String(error)}`)
      return []
    })
    await delay(FULL_MS)
    progress('there is room again')
    await host.must(['rm', FILL])
    healed()
    // Instances of the full host may have failed. Then they must say why.
    await until('everything that was accepted runs or has failed openly', LAUNCH_MS, async () => {
      const ends = (await describeAll(list, ids)).map(({ State, StateReason }) =>
        State?.Name === 'terminated' ? `failed: ${StateReason?.Message}` : State?.Name,
      )
      if (!ends.every((end) => end === 'running' || end?.startsWith('failed: '))) return null
      figure({
        label: 'launched meanwhile and running',
        value: ends.filter((end) => end === 'running').length,
        unit: '',
      })
      for (const end of ends) if (end !== 'running') note(`a launch meanwhile ${end}`)
      return true
    })
  },
  async cleanUp(lab) {
    await lab.host('h3').exec(['rm', '-f', FILL])
  },
}

const CLOCK_FILE = '/var/lib/atoll-drill-clock'
const clockDefaults = (lab: Lab) => join(lab.host('h3').disk, 'etc/default/atolld')

export const clockJump: Drill = {
  name: 'clock-jump',
  about: 'the clock of atolld on h3 jumps an hour ahead, then an hour back',
  answer:
    "Instances notice nothing: leases use the clock of the database, and waits use the monotonic clock. The host refuses requests whose signed time differs from its own. SDKs adjust to the server's clock by themselves.",
  holdsApi: true,
  async prepare(lab) {
    const host = lab.host('h3')
    await mkdir(join(lab.host('h3').disk, 'etc/default'), { recursive: true })
    await host.must(['sh', '-c', `echo +0 >${CLOCK_FILE}`])
    await writeFile(
      clockDefaults(lab),
      [
        'LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1',
        `FAKETIME_TIMESTAMP_FILE=${CLOCK_FILE}`,
        'FAKETIME_NO_CACHE=1',
        'FAKETIME_DONT_FAKE_MONOTONIC=1',
        'NO_FAKE_STAT=1',
        '',
      ].join('\n'),
    )
    await restartDaemon(host)
  },
  async run(context) {
    const { lab, fault, healed, progress, note } = context
    const host = lab.host('h3')
    const jump = async (offset: string) => {
      await host.must(['sh', '-c', `echo ${offset} >${CLOCK_FILE}`])
      progress(`the clock of h3 is ${offset} s off`)
      const { headers } = await get(host.endpoint, await host.authority())
      const offMs = Date.parse(headers.date ?? '') - Date.now()
      note(`h3 dates its answers ${Math.round(offMs / 1000)} s off`)
      await delay(JUMP_MS)
    }
    fault()
    await jump('+3600')
    await jump('-3600')
    await host.must(['sh', '-c', `echo +0 >${CLOCK_FILE}`])
    healed()
  },
  async cleanUp(lab) {
    await rm(clockDefaults(lab), { force: true })
    await restartDaemon(lab.host('h3'))
  },
}

async function restartDaemon(host: LabHost): Promise<void> {
  await host.service('atolld').crash()
  await until(`atolld on ${host.name} is healthy`, HEALTHY_MS, async () =>
    (await isHealthyDaemon(host)) ? true : null,
  )
}

/** Drills that fail hosts: their power, their fabric, all of them. */
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../lab/run.ts'
import { launch } from './api.ts'
import { cpuShare } from './cpu.ts'
import type { Drill, DrillContext } from './drill.ts'
import { netnsOf } from './host-state.ts'
import { readRecords } from './records.ts'
import { answersPing } from './sockets.ts'
import { allocationOf, associate } from './tenants.ts'

const ENGINES = ['mariadb', 'rabbitmq'] as const
const ELSEWHERE_MS = 15_000
const PATIENCE_MS = 60_000
/** Emulated guests, on a machine that also starts the engines of all hosts. */
const BOOT_MS = 180_000
const HOLD_MS = 8000
const CUT_MS = 15_000
const CPU_WINDOW_MS = 8000
const CPU_LIMIT_PERCENT = 5
const PING_MS = 300
const FLOAT_PING_MS = 50
const MOVED_MS = 1000
/** Of this process, which is outside. */
const OWN_NETNS = '/proc/self/ns/net'

/** A power failure. Losses of its instances do not count until it is switched on. */
async function powerCut({ lab, probes, excuse, fault }: DrillContext, host: string): Promise<void> {
  excuse(host, 'all')
  fault()
  await lab.host(host).kill()
  probes.detach(host)
}

/** Loses a host right after it was given instances that it has not started. */
async function loseHost(context: DrillContext, victim: string, isHeld: boolean): Promise<void> {
  const { lab, list, image, progress, figure, note } = context
  const natural = await launch(list, image, 3, `storm-${Date.now()}`)
  // Its daemon is stopped meanwhile, so that other hosts place instances on it that it cannot
  // start.
  if (isHeld) {
    context.excuse(victim, 'services')
    await lab.host(victim).must(['sh', '-c', 'kill -STOP $(s6-svstat -o pid /run/service/atolld)'])
  }
  const held = await launch(list, image, 6, `held-${Date.now()}`)
  const storm = new Set([...natural, ...held])
  await powerCut(context, victim)
  const cutAt = performance.now()
  const known = context.untilLossIsKnown(victim)
  const records = await until('the records can be read', PATIENCE_MS, () => readRecords(lab))
  const orphans = records.instances.filter(
    ({ id, host, claimed }) => storm.has(id) && host === victim && !claimed,
  )
  progress(`${orphans.length} instances were accepted for ${victim} and never started`)
  await known
  await moveFloatingIp(context, victim)
  if (orphans.length === 0) note(`no instance was left unstarted on ${victim}`)
  const ids = new Set(orphans.map(({ id }) => id))
  await until('the unstarted instances run elsewhere', PATIENCE_MS, async () => {
    const { instances = [] } = (await readRecords(lab)) ?? {}
    const moved = instances.filter(
      ({ id, host, state }) => ids.has(id) && host !== victim && state === 'running',
    )
    return moved.length === ids.size ? true : null
  }).catch((error: unknown) => note(String(error)))
  figure({
    label: `${orphans.length} never-started instances running elsewhere`,
    value: performance.now() - cutAt,
    unit: 'ms',
    limit: ELSEWHERE_MS,
  })
  await delay(Math.max(0, HOLD_MS - (performance.now() - cutAt)))
  progress(`${victim} is switched on again`)
  context.healed()
  const on = performance.now()
  await lab.host(victim).start()
  await untilOwnAnswer(context, victim)
  figure({
    label: `instances of ${victim} answer again after switching on`,
    value: performance.now() - on,
    unit: 'ms',
  })
  await untilMachinesAnswer(context, [victim], on)
  await context.probes.attach(victim)
}

/**
 * Gives the floating IP of an instance of the lost host to one of another host, as an operator
 * would, and measures until it answers there. From then on nothing is lost, whatever the lost host
 * does when it is back.
 */
async function moveFloatingIp(context: DrillContext, victim: string): Promise<void> {
  const { lab, list, fleet, figure, probes } = context
  const { publicIp } = fleet.on(victim)[0]
  const heir = lab.hosts.find(({ name }) => name !== victim)?.name ?? ''
  if (publicIp === null) throw new Error(`an instance of ${victim} has no floating IP`)
  const allocation = await allocationOf(list, publicIp)
  await associate(list, allocation, fleet.on(heir)[1].id)
  const began = performance.now()
  await until('the floating IP answers', PATIENCE_MS, async () =>
    (await answersPing(OWN_NETNS, publicIp, FLOAT_PING_MS)) ? true : null,
  )
  figure({
    label: 'a floating IP that is given to another host answers there after',
    value: performance.now() - began,
    unit: 'ms',
    limit: MOVED_MS,
  })
  await probes.fromOutside(`${heir}, moved there`, [heir], publicIp)
}

/** Waits until a host's two instances of the fleet answer there. */
export async function untilOwnAnswer({ lab, fleet }: DrillContext, host: string): Promise<void> {
  const file = await netnsOf(lab, host, 1)
  await until(`the instances on ${host} answer`, PATIENCE_MS, async () => {
    for (const { ip } of fleet.on(host)) if (!(await answersPing(file, ip, PING_MS))) return null
    return true
  })
}

/** Waits until the virtual machines on these hosts answer as well, and returns the time. */
export async function untilMachinesAnswer(
  { lab, fleet, figure }: DrillContext,
  hosts: readonly string[],
  on: number,
): Promise<void> {
  const machines = hosts.flatMap((host) => fleet.machineOn(host) ?? [])
  if (machines.length === 0) return
  await Promise.all(
    machines.map(async ({ host, ip }) => {
      const file = await netnsOf(lab, host, 1)
      await until(`the virtual machine on ${host} answers`, BOOT_MS, async () =>
        (await answersPing(file, ip, PING_MS)) ? true : null,
      )
    }),
  )
  const whose = machines.length === 1 ? 'its virtual machine' : 'all virtual machines'
  figure({ label: `${whose}, emulated`, value: performance.now() - on, unit: 'ms' })
}

export const hostLoss: Drill = {
  name: 'host-loss',
  about: 'h3 loses its power just after a launch of nine instances, and gets it back',
  answer:
    'Its own instances are gone until it is back. Instances of other hosts notice nothing. The other hosts know when its lease has run out (4.3 seconds), and show its instances as impaired. Instances that it had accepted and never started are started elsewhere. When it is switched on, it starts its own instances again by itself.',
  holdsApi: true,
  run: (context) => loseHost(context, 'h3', true),
}

export const apiHostLoss: Drill = {
  name: 'api-host-loss',
  about:
    'h1 loses its power; all clients, and all daemons for their database and broker, have it first in their lists',
  answer:
    'Clients that know several hosts go to the next one. The daemons do the same with databases and brokers. No host is special.',
  holdsApi: true,
  run: (context) => loseHost(context, 'h1', false),
}

export const hostCut: Drill = {
  name: 'host-cut',
  about: 'the fabric of h3 is cut and restored later; its uplink stays',
  answer:
    'To the other hosts it is lost. Its instances run, reach each other and the world outside, and get DNS, DHCP and metadata. They do not reach instances of other hosts, and the host does not reach the engines. Its API answers reads from its copy of the records and refuses writes. Nothing is started twice, because a host without a lease claims no instance.',
  holdsApi: true,
  async run(context) {
    const { lab, excuse, fault, api, figure, progress } = context
    excuse('h3', 'fabric')
    fault()
    await lab.host('h3').cut()
    const cutAt = performance.now()
    await context.untilLossIsKnown('h3')
    const share = await api.paused(() => cpuShare(lab, ['h3'], CPU_WINDOW_MS))
    figure({
      label: 'CPU of atolld on h3 while cut off',
      value: share,
      unit: '%',
      limit: CPU_LIMIT_PERCENT,
    })
    await delay(Math.max(0, CUT_MS - (performance.now() - cutAt)))
    progress('the fabric of h3 is mended')
    await lab.host('h3').heal()
    context.healed()
  },
}

export const coldBoot: Drill = {
  name: 'cold-boot',
  about: 'every database and broker dies, and then h3 is switched off and on',
  answer:
    'The host starts from its ledger, which has its last complete state. Its instances run again with their addresses, firewall, DNS, DHCP and metadata. Its API answers reads from its copy of the records. When the engines are back, it joins them by itself.',
  holdsApi: false,
  async run(context) {
    const { lab, probes, figure, progress, fault } = context
    fault()
    const engines = lab.hosts.filter(({ hasEngines }) => hasEngines)
    await Promise.all(engines.flatMap((host) => ENGINES.map((name) => host.service(name).kill())))
    const down = ENGINES.map((name) => join(lab.host('h3').disk, 'services', name, 'down'))
    for (const file of down) await writeFile(file, '')
    const excused = context.excuse('h3', 'all')
    await lab.host('h3').kill()
    probes.detach('h3')
    const on = performance.now()
    await lab.host('h3').start()
    for (const file of down) await rm(file)
    await untilOwnAnswer(context, 'h3')
    figure({
      label: 'instances of h3 answer after switching on',
      value: performance.now() - on,
      unit: 'ms',
    })
    await untilMachinesAnswer(context, ['h3'], on)
    progress('the instances of h3 are back, without any engine')
    await probes.attach('h3')
    await delay(1000)
    excused()
    await delay(HOLD_MS)
    progress('the engines are started')
    await Promise.all(engines.flatMap((host) => ENGINES.map((name) => host.service(name).start())))
    context.healed()
  },
}

export const fullOutage: Drill = {
  name: 'full-outage',
  about: 'all hosts lose their power at once, and get it back',
  answer:
    'Everything comes back without help and in any order. Every host starts its instances from its ledger. The database node with the latest commit starts the cluster, and the brokers wait for each other.',
  holdsApi: false,
  async run(context) {
    const { lab, probes, figure, progress, excuse, fault } = context
    for (const { name } of lab.hosts) excuse(name, 'all')
    fault()
    await Promise.all(lab.hosts.map((host) => host.kill()))
    for (const { name } of lab.hosts) probes.detach(name)
    await delay(2000)
    context.healed()
    const on = performance.now()
    await Promise.all(lab.hosts.map((host) => host.start()))
    await Promise.all(lab.hosts.map(({ name }) => untilOwnAnswer(context, name)))
    figure({
      label: 'all instances answer after switching on',
      value: performance.now() - on,
      unit: 'ms',
    })
    const names = lab.hosts.map(({ name }) => name)
    await untilMachinesAnswer(context, names, on)
    progress('all instances are back')
    for (const { name } of lab.hosts) await probes.attach(name)
  },
}

/**
 * NICs of running virtual machines: which there are, and attaching and detaching them by QMP
 * (https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html, "device_add", "netdev_add").
 *
 * Each NIC is a device with the name of its attachment (`plugName`), and a backend that has its
 * tap. QEMU gets the tap as a descriptor, over the monitor's socket. What is remembered here can be
 * asked again.
 */
import { z } from 'zod'
import type { Host } from '../host/host.ts'
import type { Clock } from '../lib/clock.ts'
import { inTime } from '../lib/deadline.ts'
import type { Log } from '../lib/log.ts'
import { messageOf, refused, unavailable } from '../model/errors.ts'
import type { InstanceId } from '../model/ids.ts'
import { nicLinkName } from '../model/names.ts'
import { type InstanceWant, type NicWant, plugName } from '../model/want.ts'
import type { PluggedNic } from '../plan/workloads.ts'
import { backendName, nicPortName } from './machine.ts'
import type { Machine } from './monitors.ts'
import type { Qmp } from './qmp.ts'

export interface MachineNics {
  /**
   * The NICs that a machine has. Undefined when that is not known: it does not answer now, or an
   * older daemon started it, which named none.
   */
  list(
    instance: InstanceId,
    machine: Machine,
    fresh: boolean,
  ): Promise<readonly PluggedNic[] | undefined>
  /** Attaches and detaches what differs. Errors: `unavailable`, `refused`. */
  ensure(want: InstanceWant, pid: number, qmp: Qmp): Promise<void>
  /**
   * Gives a machine back the taps of these NICs that somebody has deleted. Its own descriptors are
   * attached to the new ones, so neither QEMU nor the guest notices. Returns the NICs. Errors:
   * `unavailable`.
   */
  replug(pid: number, qmp: Qmp, nics: readonly NicWant[]): Promise<readonly string[]>
}

interface MachineNicsOptions {
  readonly host: Pick<Host, 'openTap' | 'reattachTap'>
  /** The number of ports that a machine of this type is started with. */
  readonly portsOf: (type: string) => number
  /** MTU of the guests' NICs. */
  readonly mtuBytes: number
  readonly clock: Pick<Clock, 'after'>
  readonly log: Log
}

/** What is known of one process. */
interface Known {
  readonly pid: number
  readonly names: Set<string>
  /** Names of those that the guest was asked to release. */
  readonly released: Set<string>
}

/** Where QEMU lists devices that have names. */
const DEVICES = '/machine/peripheral'
const OUR_NAME = /^eni-(?:attach-)?[0-9a-f]{17}$/
const WAIT_MS = 300
const listSchema = z.string().max(65_536)
const devicesSchema = z.array(z.object({ name: z.string().max(256) })).max(4096)

/** Knows nothing at first. */
export function createMachineNics(options: MachineNicsOptions): MachineNics {
  const { clock, log, host } = options
  const known = new Map<InstanceId, Known>()

  async function read(instance: InstanceId, pid: number, qmp: Qmp): Promise<Known> {
    const listed = devicesSchema.safeParse(await qmp.execute('qom-list', { path: DEVICES }))
    if (!listed.success) throw unavailable('QEMU does not list its devices', listed.error)
    const names = listed.data.map(({ name }) => name).filter((name) => OUR_NAME.test(name))
    const before = known.get(instance)
    const released = before?.pid === pid ? before.released : new Set<string>()
    const one = { pid, names: new Set(names), released }
    known.set(instance, one)
    return one
  }

  return {
    async list(instance, { pid, qmp, isOff }, fresh) {
      if (qmp === null || isOff) return undefined
      const before = known.get(instance)
      const isKnown = before?.pid === pid && !fresh
      const one = isKnown
        ? before
        : await inTime(
            clock,
            WAIT_MS,
            read(instance, pid, qmp).catch(() => null),
          )
      if (one === null || one === undefined || one.names.size === 0) return undefined
      return [...one.names].filter((name) => !one.released.has(name)).map((name) => ({ name }))
    },
    async ensure(want, pid, qmp) {
      const one = await read(want.id, pid, qmp)
      if (one.names.size === 0) {
        if (want.nics.length === 1) return
        throw refused(
          'IncorrectInstanceState',
          `${want.id} was started by an older version of Atoll: stop and start it to attach network interfaces`,
        )
      }
      const wanted = new Map(want.nics.map((nic) => [plugName(nic), nic]))
      for (const name of one.names)
        if (!wanted.has(name) && !one.released.has(name)) {
          await release(qmp, name)
          one.released.add(name)
          log.info({ instance: want.id, nic: name }, 'network interface detached')
        }
      for (const [name, nic] of wanted)
        if (!one.names.has(name)) {
          await attach(options, qmp, nic, options.portsOf(want.type.name))
          one.names.add(name)
          log.info({ instance: want.id, nic: name }, 'network interface attached')
        }
    },
    async replug(pid, qmp, nics) {
      const backends = await readBackends(qmp)
      const back: string[] = []
      for (const nic of nics) {
        const fd = backends.get(backendName(plugName(nic)))
        // It is not attached yet, or an older daemon started the machine.
        if (fd === undefined) continue
        if (await host.reattachTap(nicLinkName(nic.id), { pid, fd }, nic.network)) back.push(nic.id)
      }
      return back
    },
  }
}

/** The descriptors of taps by the names of their backends, as QEMU's monitor lists them. */
async function readBackends(qmp: Qmp): Promise<ReadonlyMap<string, number>> {
  const command = { 'command-line': 'info network' }
  const listed = listSchema.safeParse(await qmp.execute('human-monitor-command', command))
  if (!listed.success) throw unavailable('QEMU does not list its network', listed.error)
  const found = listed.data.matchAll(/(\S+): index=\d+,type=tap,fd=(\d{1,7})\s/g)
  return new Map([...found].map(([, name = '', fd]) => [name, Number(fd)]))
}

/**
 * Takes the tap from the NIC at once, and asks the guest to release the device. A guest that does
 * not is left with a NIC that is not connected.
 */
async function release(qmp: Qmp, name: string): Promise<void> {
  await qmp.execute('netdev_del', { id: backendName(name) }).catch(ignoreRefusal)
  await qmp.execute('device_del', { id: name }).catch(ignoreRefusal)
}

/** It is gone, or about to be. That QEMU does not answer is told by the next command. */
function ignoreRefusal(): void {}

async function attach(
  { host, mtuBytes }: MachineNicsOptions,
  qmp: Qmp,
  nic: NicWant,
  ports: number,
): Promise<void> {
  const name = plugName(nic)
  const backend = backendName(name)
  // What a daemon left that died here: QEMU would hold the tap.
  await qmp.execute('closefd', { fdname: name }).catch(ignoreRefusal)
  await qmp.execute('netdev_del', { id: backend }).catch(ignoreRefusal)
  const tap = await host.openTap(nicLinkName(nic.id), nic.network)
  try {
    await qmp.executeWithFile('getfd', { fdname: name }, tap.fd)
  } finally {
    tap.close()
  }
  await qmp.execute('netdev_add', { type: 'tap', id: backend, fd: name })
  const device = {
    ...{ driver: 'virtio-net-pci', id: name, netdev: backend, mac: nic.mac },
    ...{ host_mtu: mtuBytes, romfile: '' },
  }
  let last: unknown
  for (let port = 1; port <= ports; port += 1)
    try {
      return void (await qmp.execute('device_add', { ...device, bus: nicPortName(port) }))
    } catch (error) {
      // It is taken, perhaps by a NIC that the guest has yet to release; or there is none.
      last = error
    }
  await qmp.execute('netdev_del', { id: backend }).catch(ignoreRefusal)
  throw unavailable(
    `no port of the machine takes the network interface: ${last === undefined ? 'it has none' : messageOf(last)}`,
    last,
  )
}

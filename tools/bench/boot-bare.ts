/**
 * The comparison for `boot`: QEMU started by hand with the daemon's arguments, on a bridge with
 * dnsmasq.
 *
 * Disks and taps exist before. So this measures QEMU, the guest, and a DHCP server without other
 * work.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { type FileHandle, mkdir, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { QEMU } from '../../src/host/kvm/kvm.ts'
import { renderMachine } from '../../src/machines/machine.ts'
import type { InstanceWant } from '../../src/model/want.ts'
import { endChild } from '../kit/child.ts'
import { instance } from '../kit/instance.ts'
import { createNetns, type Netns } from '../kit/netns.ts'
import { must } from '../lab/run.ts'
import { type DhcpWatch, startDhcpWatch } from './dhcp-watch.ts'
import { firstAnswers } from './pinger.ts'

/** What a guest of both sides is made of. */
export interface GuestMake {
  readonly kernelPath: string
  readonly initrdPath: string
  readonly memoryMiB: number
  readonly diskGiB: number
  readonly mtuBytes: number
}

/** Times since the start of a launch, by guest. */
export interface Boots {
  readonly ackMs: readonly number[]
  readonly pingMs: readonly number[]
}

export interface Bare {
  /**
   * Starts this many guests at once, measures, calls `running` with their processes, and stops
   * them.
   */
  boot(count: number, running?: (pids: readonly number[]) => Promise<void>): Promise<Boots>
  close(): Promise<void>
}

const GUESTS_MAX = 32
const BRIDGE = 'bare0'
const DEADLINE_MS = 240_000
/** After stdin, stdout and stderr. */
const FIRST_NUMBER = 3

/** Prepares the bridge, taps and disks for at most this many guests. */
export async function startBare(make: GuestMake): Promise<Bare> {
  const netns = await createNetns('bare')
  const dir = await mkdtemp(join(tmpdir(), 'atoll-bare-'))
  const guests = Array.from({ length: GUESTS_MAX }, (_, n) => instance(n + 10))
  await prepareNetwork(netns, guests, make.mtuBytes)
  const leave = netns.enter()
  const watch = await startDhcpWatch()
  leave()
  return {
    async boot(count, running) {
      watch.clear()
      const chosen = guests.slice(0, count)
      for (const guest of chosen) await prepareDisk(join(dir, guest.id), make)
      const files = await Promise.all(chosen.map((guest) => openFiles(join(dir, guest.id), make)))
      const began = performance.now()
      const children = chosen.map((guest, n) =>
        startGuest(netns, join(dir, guest.id), guest, make, files[n] ?? []),
      )
      try {
        const boots = await watchBoots(netns, watch, chosen, began)
        await running?.(children.flatMap(({ pid }) => pid ?? []))
        return boots
      } finally {
        await Promise.all(children.map((child) => endChild(child)))
        await Promise.all(files.flat().map((file) => file.close()))
      }
    },
    async close() {
      watch.close()
      await netns.destroy()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

async function prepareNetwork(
  netns: Netns,
  guests: readonly InstanceWant[],
  mtuBytes: number,
): Promise<void> {
  const ip = (...args: readonly string[]) => netns.must(['ip', ...args])
  await ip('link', 'add', BRIDGE, 'type', 'bridge')
  await ip('address', 'add', '172.31.0.1/20', 'dev', BRIDGE)
  await ip('link', 'set', BRIDGE, 'up')
  for (const guest of guests) {
    await ip('tuntap', 'add', tapOf(guest), 'mode', 'tap')
    await ip('link', 'set', tapOf(guest), 'mtu', String(mtuBytes), 'master', BRIDGE, 'up')
  }
  netns.spawn([
    ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--port=0', '--no-ping'],
    ...[`--interface=${BRIDGE}`, '--bind-interfaces', '--leasefile-ro', '--dhcp-authoritative'],
    '--dhcp-range=172.31.0.2,static,255.255.240.0,1h',
    ...guests.flatMap(({ nics: [nic] }) =>
      nic === undefined ? [] : [`--dhcp-host=${nic.mac},${nic.ip}`],
    ),
  ])
}

function tapOf({ nics: [nic] }: InstanceWant): string {
  return `tap${nic?.mac.replaceAll(':', '').slice(-6)}`
}

async function prepareDisk(home: string, { diskGiB }: GuestMake): Promise<void> {
  await rm(home, { recursive: true, force: true })
  await mkdir(home)
  await must(['qemu-img', 'create', '-q', '-f', 'qcow2', join(home, 'disk'), `${diskGiB}G`])
}

/** In the order of the process's descriptors. */
function openFiles(home: string, make: GuestMake): Promise<readonly FileHandle[]> {
  return Promise.all([
    open(join(home, 'disk'), 'r+'),
    open(join(home, 'console'), 'a'),
    open(make.kernelPath),
    open(make.initrdPath),
  ])
}

function startGuest(
  netns: Netns,
  home: string,
  guest: InstanceWant,
  make: GuestMake,
  files: readonly FileHandle[],
): ChildProcess {
  const { memoryMiB, diskGiB, mtuBytes } = make
  const want = { ...guest, type: { name: 'bare', vcpus: 1, memoryMiB, diskGiB } }
  const none = { base: null, firmware: null, seed: null }
  const args = renderMachine(
    want,
    home,
    {
      ...{
        isDiskShared: false,
        ceph: null,
        disk: FIRST_NUMBER,
        consoleLog: FIRST_NUMBER + 1,
        ...none,
      },
      kernel: { kernel: FIRST_NUMBER + 2, initrd: FIRST_NUMBER + 3 },
      // Opened by name instead, below.
      ...{ monitor: -1, serial: -1, agent: -1, taps: [-1] },
    },
    {
      accelerator: 'tcg',
      mtuBytes,
      options: { sha256: null, seed: null, firmware: 'bios', machine: 'q35' },
      nicPorts: 0,
      tscKhz: null,
      isIncoming: false,
    },
  )
  const byName = args.map((arg) =>
    arg
      .replace(/^socket,id=(\w+),fd=-1/, `socket,id=$1,path=${home}/$1`)
      .replace(/^tap,(.*),fd=-1/, `tap,$1,ifname=${tapOf(guest)},script=no,downscript=no`),
  )
  const leave = netns.enter()
  try {
    return spawn(QEMU, byName, {
      stdio: ['ignore', 'ignore', 'inherit', ...files.map((one) => one.fd)],
    })
  } finally {
    leave()
  }
}

async function watchBoots(
  netns: Netns,
  watch: DhcpWatch,
  guests: readonly InstanceWant[],
  began: number,
): Promise<Boots> {
  const nics = guests.flatMap(({ nics: [nic] }) => nic ?? [])
  const leave = netns.enter()
  const pings = firstAnswers(
    nics.map(({ ip }) => ip),
    DEADLINE_MS,
  )
  leave()
  const macs = nics.map(({ mac }) => mac)
  const [acked, answered] = await Promise.all([watch.acks(macs, DEADLINE_MS), pings])
  const since = (moments: readonly number[]) => moments.map((moment) => moment - began)
  return { ackMs: since(acked), pingMs: since(answered) }
}

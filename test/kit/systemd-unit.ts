/**
 * The units of the daemon's parts (`scripts/atolld*`), read and run as systemd runs them, for
 * machines of tests, which have no systemd: the command, the sockets, the user, the capabilities,
 * what of the file system it sees, and that it is started again. Filters of system calls are not
 * applied; `systemd-unit.test.ts` looks at them.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { chownSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { NamespaceHost } from '../../src/host/host.ts'
import { loadDescriptors } from '../../src/host/sockets/descriptors.ts'
import { ipv4 } from '../../src/model/addr.ts'
import { API_USER } from '../../src/model/names.ts'
import { endChild } from '../../tools/kit/child.ts'

const ROOT = resolve(import.meta.dirname, '../..')
/** Where scripts/install puts the daemon: everybody may read it, unlike a checkout. */
const RELEASE = '/opt/atoll/current'
/** The first of those that systemd gives to units with DynamicUser. */
const DYNAMIC_USER = 61_184

/** The assignments of a unit, in its order. */
export interface Unit {
  readonly name: string
  /** The last of this key; empty: there is none. */
  value(key: string): string
  /** The words of all of this key. */
  words(key: string): readonly string[]
  /** All, as key and value. */
  readonly lines: readonly (readonly [string, string])[]
}

/** Reads a unit of the checkout. */
export function readUnit(name: string): Unit {
  const text = readFileSync(join(ROOT, 'scripts', name), 'utf8')
  const lines = [...text.matchAll(/^(\w+)=(.*)$/gm)].map(
    ([, key = '', value = '']): [string, string] => [key, value],
  )
  const all = (key: string) => lines.filter(([one]) => one === key).map(([, value]) => value)
  return {
    ...{ name, lines },
    value: (key) => all(key).at(-1) ?? '',
    words: (key) => all(key).flatMap((value) => value.split(' ').filter((word) => word !== '')),
  }
}

/** The machine that units run on: where the directories of the units are there. */
export interface UnitPlaces {
  readonly stateDir: string
  readonly runtimeDir: string
  readonly configFile: string
  /** The host whose namespace the sockets are in. */
  readonly host: Pick<NamespaceHost, 'descriptors'>
  /** A descriptor that their lines go to. */
  readonly log: number
}

/** A unit that runs. */
export interface RunningUnit {
  /** Its process. */
  pid(): number
  /** Ends it for good. */
  stop(): Promise<void>
}

/** What the sockets of a unit were opened as; they stay open, as those that systemd holds. */
function openSockets(name: string, { host, runtimeDir }: UnitPlaces): readonly number[] {
  const descriptors = loadDescriptors()
  return readUnit(name).lines.flatMap(([key, value]) => {
    if (key !== 'ListenStream' && key !== 'ListenDatagram') return []
    const [, address, port] = /^([\d.]+):(\d+)$/.exec(value) ?? []
    if (address !== undefined)
      return [host.descriptors.open({ kind: 'tcp', address: ipv4(address), port: Number(port) })]
    const path = value.replace(/^\/run\/atoll/, runtimeDir)
    rmSync(path, { force: true })
    return key === 'ListenStream'
      ? [descriptors.listenUnix(path)]
      : [descriptors.bindUnixDatagrams(path)]
  })
}

/** In a mount namespace of its own: SHOWN... -- HIDDEN... -- PROGRAM ARGUMENT... */
const SHUT_IN = `
set -e
mount -t tmpfs tmpfs /opt
mkdir -p ${RELEASE}
mount --bind ${ROOT} ${RELEASE}
mount -t tmpfs tmpfs /mnt
n=0
while [ "$1" != -- ]; do n=$((n + 1)); mkdir /mnt/$n; mount --bind "$1" /mnt/$n; shown="$shown $1"; shift; done
shift
while [ "$1" != -- ]; do mount -t tmpfs -o mode=0711 tmpfs "$1"; hidden="$hidden $1"; shift; done
shift
n=0
for one in $shown; do n=$((n + 1)); mkdir -p "$one"; mount --bind /mnt/$n "$one"; done
for one in $hidden; do mount -o remount,ro "$one"; done
exec "$@"
`

/** The command of a unit, as root starts it. */
function commandOf(unit: Unit, places: UnitPlaces): readonly string[] {
  const moved = (path: string) =>
    path
      .replace(/:.*$/, '')
      .replace(/^\/var\/lib\/atoll/, places.stateDir)
      .replace(/^\/run\/atoll/, places.runtimeDir)
  const command = unit.words('ExecStart')
  const shown = [...unit.words('BindPaths'), ...unit.words('BindReadOnlyPaths')].map(moved)
  const hidden = unit.words('TemporaryFileSystem').map(moved)
  const spaces = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', SHUT_IN, 'sh']
  return [...spaces, ...shown, '--', ...hidden, '--', 'setpriv', ...rightsOf(unit), ...command]
}

/** What setpriv(1) is told. */
export function rightsOf(unit: Unit): readonly string[] {
  const bounds = unit.words('CapabilityBoundingSet')
  const kept = bounds.map((name) => `,+${name.slice('CAP_'.length).toLowerCase()}`).join('')
  const user = unit.value('User') === '' ? DYNAMIC_USER : API_USER
  const isRoot = unit.value('User') === '' && unit.value('DynamicUser') !== 'yes'
  return [
    ...['--no-new-privs', '--inh-caps=-all', `--bounding-set=-all${kept}`],
    ...(isRoot ? [] : [`--reuid=${user}`, `--regid=${user}`, '--clear-groups']),
    '--',
  ]
}

/**
 * Runs a service and starts it again whenever it ends, with the sockets of `socketUnit`, until it
 * is stopped.
 */
export function runUnit(name: string, socketUnit: string | null, places: UnitPlaces): RunningUnit {
  const unit = readUnit(name)
  for (const directory of unit.words('StateDirectory')) {
    const path = join(places.stateDir, directory.replace(/^atoll\//, ''))
    mkdirSync(path, { recursive: true, mode: 0o700 })
    chownSync(path, API_USER, API_USER)
  }
  if (unit.words('BindReadOnlyPaths').length > 0)
    mkdirSync(join(places.runtimeDir, 'api'), { recursive: true, mode: 0o700 })
  const sockets = socketUnit === null ? [] : openSockets(socketUnit, places)
  const [program = '', ...args] = commandOf(unit, places)
  let isStopped = false
  let child: ChildProcess
  const start = () => {
    child = spawn(program, args, {
      stdio: ['ignore', places.log, places.log, ...sockets],
      // Where units have the usual place.
      env: { ...process.env, ATOLL_CONFIG: places.configFile },
    })
    child.once('exit', () => {
      if (!isStopped && unit.value('Restart') === 'always') start()
    })
  }
  start()
  return {
    pid: () => child.pid ?? 0,
    async stop() {
      isStopped = true
      await endChild(child, 'SIGTERM')
      const descriptors = loadDescriptors()
      sockets.forEach(descriptors.close)
    },
  }
}

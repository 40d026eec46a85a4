/**
 * Disks: what a machine has when it is switched on for the first time. Each is complete or absent.
 */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import {
  FLOATING_IPS,
  FLOATING_IPS_OF_ACCOUNT,
  type HostLayout,
  type LabLayout,
  OUTSIDE_GATEWAY,
  OUTSIDE_SERVER,
} from './layout.ts'
import { must } from './run.ts'

const MAKE_MS = 60_000

/** The cluster's secret, the same on all hosts. Created once. */
export async function ensureSecret(lab: LabLayout): Promise<void> {
  const file = secretFile(lab)
  if (!existsSync(file))
    await writeFile(file, `${randomBytes(24).toString('hex')}\n`, { mode: 0o600 })
}

function secretFile(lab: LabLayout): string {
  return join(lab.dir, 'secret')
}

/** MariaDB's system tables, created once for all nodes, because a copy is faster. */
export async function ensureDatabaseTemplate(lab: LabLayout): Promise<void> {
  await made(template(lab), async (dir) => {
    await must(
      [
        ...['mariadb-install-db', '--no-defaults', '--user=mysql', `--datadir=${dir}`],
        ...['--skip-test-db', '--innodb-log-file-size=16M'],
      ],
      { timeoutMs: MAKE_MS },
    )
  })
}

function template(lab: LabLayout): string {
  return join(lab.dir, 'mysql-template')
}

/** The outside machine. */
export async function ensureOutsideDisk(lab: LabLayout): Promise<void> {
  const { name, disk } = lab.outside
  await made(disk, (dir) =>
    make('make-outside.sh', {
      DISK: dir,
      NAME: name,
      HOSTS: hostsFile(lab),
      SERVER: OUTSIDE_SERVER,
    }),
  )
}

/** What may differ between labs. */
export interface DiskOptions {
  /** Settings of every host, added to the lab's own by section. */
  readonly config?: Readonly<Record<string, object>>
  /** Size of the file system with all state, for tests that fill it. Unlimited by default. */
  readonly diskMiB?: number
}

/** A host. */
export async function ensureHostDisk(
  lab: LabLayout,
  host: HostLayout,
  options: DiskOptions,
): Promise<void> {
  const nodes = lab.hosts
    .filter(({ hasEngines }) => hasEngines)
    .map(({ fabricAddress }) => fabricAddress)
  await made(host.disk, (dir) =>
    make('make-disk.sh', {
      DISK: dir,
      NAME: host.name,
      FABRIC: host.fabricAddress,
      NODES: nodes.join(' '),
      HOSTS: hostsFile(lab),
      SECRET: secretFile(lab),
      PEERS: lab.hosts.map(({ fabricAddress }) => fabricAddress).join(','),
      GATEWAY: OUTSIDE_GATEWAY,
      MYSQL_TEMPLATE: template(lab),
      CGROUP: `${lab.cgroup}/${host.name}`,
      CONFIG: stringify(settings(host, nodes, options.config ?? {}), {
        aliasDuplicateObjects: false,
      }),
      DISK_MIB: String(options.diskMiB ?? 0),
    }),
  )
}

function settings(
  host: HostLayout,
  nodes: readonly string[],
  config: Readonly<Record<string, object>>,
): object {
  const own: Readonly<Record<string, object>> = {
    host: { name: host.name },
    cluster: { secretFile: '/etc/atoll/secret' },
    tls: { addresses: [host.outsideAddress] },
    store: { kind: 'mariadb', nodes },
    bus: { kind: 'rabbitmq', nodes },
    fabric: { address: host.fabricAddress },
    network: { pools: [{ name: 'outside', ranges: [FLOATING_IPS] }] },
    api: { quotas: { addresses: FLOATING_IPS_OF_ACCOUNT } },
    docker: { stopSeconds: 2 },
    // All hosts have the same kernel, so there is no need to test each.
    qemu: { accel: 'tcg', stopSeconds: 2 },
  }
  const sections = new Set([...Object.keys(own), ...Object.keys(config)])
  return Object.fromEntries(
    [...sections].map((section) => [section, { ...own[section], ...config[section] }]),
  )
}

function hostsFile(lab: LabLayout): string {
  return [
    ...lab.hosts.map(({ fabricAddress, name }) => `${fabricAddress} ${name}`),
    `${OUTSIDE_SERVER} ${lab.outside.name}`,
  ].join('\n')
}

async function made(dir: string, make: (dir: string) => Promise<void>): Promise<void> {
  if (existsSync(dir)) return
  const unfinished = `${dir}.new`
  await rm(unfinished, { recursive: true, force: true })
  await mkdir(unfinished)
  await make(unfinished)
  await rename(unfinished, dir)
}

async function make(script: string, values: Readonly<Record<string, string>>): Promise<void> {
  const assignments = Object.entries(values).map(([name, value]) => `${name}=${value}`)
  await must(['env', ...assignments, join(import.meta.dirname, script)], { timeoutMs: MAKE_MS })
}

/**
 * `atoll doctor`: checks every prerequisite on this machine, and says what was found and how to fix
 * it. Changes nothing.
 */
import { constants } from 'node:fs'
import { access, open, statfs } from 'node:fs/promises'
import { createServer } from 'node:net'
import { networkInterfaces, totalmem } from 'node:os'
import Docker from 'dockerode'
import { z } from 'zod'
import type { Config, Environment } from '../config.ts'
import { codeOf } from '../lib/errno.ts'
import { systemRunner } from '../lib/runner.ts'
import { METADATA_ADDRESS } from '../model/addr.ts'
import { messageOf } from '../model/errors.ts'
import { LINK_PREFIX } from '../model/names.ts'
import { GIB, MIB } from '../model/sizes.ts'
import { readAdmin } from './admin-client.ts'
import { checkSharedAddress } from './doctor-api-address.ts'
import { checkCephHealth } from './doctor-ceph.ts'
import { checkCertificates, checkEngineTls, checkKeySealing } from './doctor-certificates.ts'
import { type CheckResult, type DoctorCheck, fail, ok, warn } from './doctor-check.ts'
import { checkEngines } from './doctor-engines.ts'
import {
  checkFabricAddress,
  checkFabricEncryption,
  checkFabricPeers,
  checkFabricPort,
} from './doctor-fabric.ts'
import { checkFence } from './doctor-fence.ts'
import { checkFiles } from './doctor-files.ts'
import { checkForeignFirewall } from './doctor-firewall.ts'
import { checkForwarders } from './doctor-forwarders.ts'
import {
  checkAddresses,
  checkClocks,
  checkHealth,
  checkNetwork,
  checkServicePorts,
} from './doctor-host.ts'
import { checkIsolation } from './doctor-isolation.ts'
import { checkMachines } from './doctor-machines.ts'
import { checkNatPorts } from './doctor-nat.ts'
import { checkProxies } from './doctor-proxies.ts'
import { checkStorage } from './doctor-storage.ts'
import { checkWarm } from './doctor-warm.ts'

const LEAST_FREE_BYTES = GIB
const COMMAND_TIMEOUT_MS = 5000

/** Member of the daemon's status. Older daemons lack it. */
const unreadableRows = z.object({
  unreadable: z.array(z.object({ table: z.string(), key: z.string(), problem: z.string() })),
})

/** Runs all checks. A check that cannot run is a finding, too. */
export async function runChecks(
  config: Config,
  environment: Environment,
  configFile: string,
): Promise<readonly DoctorCheck[]> {
  const checks: readonly (readonly [string, () => Promise<CheckResult> | CheckResult])[] = [
    ['root', checkRoot],
    ['node', checkNode],
    ['nftables', checkNftables],
    ['other firewalls', () => checkForeignFirewall(config)],
    ['network devices', checkTun],
    ['docker', () => checkDocker(config.docker.socket)],
    ['proxies', () => checkProxies(config, environment)],
    ['isolation', () => checkIsolation(config.docker.socket)],
    ['virtual machines', () => checkMachines(config.qemu.accel, systemRunner)],
    ['busybox', checkBusybox],
    ['memory', () => checkMemory(config)],
    ['disk', () => checkDisk(config.stateDir)],
    ['shared storage', () => checkStorage(config)],
    ['Ceph', () => checkCephHealth(config, systemRunner)],
    ['metadata address', checkMetadataAddress],
    ['network', () => checkNetwork(config)],
    ['addresses', () => checkAddresses(config)],
    ['service ports', () => checkServicePorts(config)],
    ['clocks', () => checkClocks(config)],
    ['health', () => checkHealth(config)],
    ['API port', () => checkPort(config, config.api.listen, config.api.port, 'api.port')],
    ['API address', () => checkSharedAddress(config)],
    [
      'metrics port',
      () => checkPort(config, config.metrics.listen, config.metrics.port, 'metrics.port'),
    ],
    ['DNS forwarders', () => checkForwarders(config)],
    ['outbound ports', () => checkNatPorts(config)],
    ['warm instances', () => checkWarm(config)],
    ['files', () => checkFiles(config, configFile)],
    ['records', () => checkRecords(config)],
    ['access keys', () => checkKeySealing(config)],
    ['certificates', () => checkCertificates(config)],
    ['engine TLS', () => checkEngineTls(config)],
    ['fabric address', () => checkFabricAddress(config)],
    ['fabric encryption', () => checkFabricEncryption(config)],
    ['fabric port', () => checkFabricPort(config)],
    ['fabric peers', () => checkFabricPeers(config)],
    ['failover', () => checkFence(config)],
    ['engines', checkEngines],
  ]
  const found: DoctorCheck[] = []
  for (const [name, check] of checks) {
    const result = await Promise.try(check).catch((error: unknown) =>
      warn(
        `could not be checked: ${messageOf(error)}`,
        process.getuid?.() === 0
          ? 'fix what the message names, then run atoll doctor again'
          : 'run it as root: sudo atoll doctor',
      ),
    )
    found.push({ name, ...result })
  }
  return found
}

function checkRoot(): CheckResult {
  return process.getuid?.() === 0
    ? ok('yes')
    : fail('not root', 'run it as root: sudo atoll doctor; atolld needs root, too')
}

function checkNode(): CheckResult {
  const major = Number(process.versions.node.split('.')[0])
  return major >= 26
    ? ok(process.version)
    : fail(
        `${process.version} is too old`,
        'run bin/atoll and bin/atolld, which use the Node in node_modules',
      )
}

async function checkNftables(): Promise<CheckResult> {
  const fix = 'apt-get install nftables; the kernel needs nf_tables (modprobe nf_tables)'
  try {
    const stdin = 'add table inet atoll_doctor\n'
    const nft = await systemRunner('nft', ['--check', '-f', '-'], {
      stdin,
      timeoutMs: COMMAND_TIMEOUT_MS,
    })
    return nft.exitCode === 0 ? ok('works') : fail(nft.stderr.trim(), fix)
  } catch {
    return fail('nft is not installed', fix)
  }
}

async function checkTun(): Promise<CheckResult> {
  try {
    await access('/dev/net/tun', constants.R_OK | constants.W_OK)
    return ok('/dev/net/tun exists (virtual machines need it)')
  } catch {
    return warn('no /dev/net/tun: no virtual machines', 'modprobe tun')
  }
}

async function checkDocker(socketPath: string): Promise<CheckResult> {
  try {
    const docker = new Docker({ socketPath, timeout: COMMAND_TIMEOUT_MS })
    const info: { ServerVersion?: string; LiveRestoreEnabled?: boolean } = await docker.info()
    const version = `engine ${info.ServerVersion} at ${socketPath}`
    return info.LiveRestoreEnabled === true
      ? ok(`${version}, live restore on`)
      : warn(
          `${version}, live restore off: restarting dockerd restarts the instances`,
          'put {"live-restore": true} into /etc/docker/daemon.json and: systemctl reload docker',
        )
  } catch (error) {
    return fail(
      `no engine answers at ${socketPath} (${messageOf(error)})`,
      'apt-get install docker.io; systemctl start docker; or set docker.socket',
    )
  }
}

async function checkBusybox(): Promise<CheckResult> {
  const fix = 'apt-get install busybox-static'
  try {
    const file = await open('/bin/busybox')
    await using _closing = { [Symbol.asyncDispose]: () => file.close() }
    // The first page of a dynamically linked ELF file contains the name of its interpreter.
    const { buffer } = await file.read(Buffer.alloc(4096), 0, 4096, 0)
    return buffer.includes('/lib64/ld-linux')
      ? fail('/bin/busybox is dynamically linked', fix)
      : ok('/bin/busybox is static')
  } catch {
    return fail('no /bin/busybox', fix)
  }
}

function checkMemory(config: Config): CheckResult {
  const totalMiB = Math.floor(totalmem() / MIB)
  return totalMiB > config.capacity.reserveMemoryMiB
    ? ok(`${totalMiB} MiB, of which ${config.capacity.reserveMemoryMiB} are reserved for the host`)
    : fail(
        `${totalMiB} MiB, all of it reserved for the host`,
        `set capacity.reserveMemoryMiB (${config.capacity.reserveMemoryMiB}) to less than that`,
      )
}

async function checkDisk(stateDir: string): Promise<CheckResult> {
  // Before the first start the directory does not exist. Usually it will be on the root file
  // system.
  const stats = await statfs(stateDir).catch(() => statfs('/'))
  const freeBytes = stats.bavail * stats.bsize
  const found = `${(freeBytes / GIB).toFixed(1)} GiB free for ${stateDir}`
  return freeBytes >= LEAST_FREE_BYTES
    ? ok(found)
    : warn(found, 'free some space, or set stateDir to a directory on a larger file system')
}

function checkMetadataAddress(): CheckResult {
  const holder = Object.entries(networkInterfaces()).find(
    ([name, addresses]) =>
      !name.startsWith(LINK_PREFIX) &&
      addresses?.some((address) => address.address === METADATA_ADDRESS),
  )
  return holder === undefined
    ? ok(`${METADATA_ADDRESS} is free for instances`)
    : fail(
        `${holder[0]} has the address ${METADATA_ADDRESS}`,
        `ip address delete ${METADATA_ADDRESS} dev ${holder[0]}; and find out who adds it`,
      )
}

async function checkPort(
  config: Config,
  host: string,
  port: number,
  key: string,
): Promise<CheckResult> {
  const server = createServer()
  const code = await new Promise<string | null>((resolve) => {
    server.once('error', (error) => resolve(codeOf(error) ?? error.message))
    server.listen({ host, port, exclusive: true }, () => resolve(null))
  })
  server.close()
  if (code === null) return ok(`${host}:${port} is free`)
  if (code === 'EADDRINUSE' && (await daemonAnswers(config.runtimeDir)))
    return ok(`atolld listens at ${host}:${port}`)
  return fail(
    `${host}:${port} is not free (${code})`,
    `stop the program that uses it (ss -tlnp 'sport = :${port}'), or set ${key} to another port`,
  )
}

/** Rows of the database that the daemon cannot read. */
async function checkRecords(config: Config): Promise<CheckResult> {
  const status = await readAdmin(config.runtimeDir, '/v1/status').catch(() => null)
  const rows = unreadableRows.safeParse(status).data?.unreadable ?? []
  if (status === null) return ok('not known: atolld is not running here')
  if (rows.length === 0) return ok('every row can be read')
  const named = rows.map(({ table, key, problem }) => `${table} ${key} (${problem})`)
  return fail(
    `unreadable rows: ${named.join('; ')}`,
    'correct or delete these rows in the database; until then atolld leaves their instances as they are',
  )
}

async function daemonAnswers(runtimeDir: string): Promise<boolean> {
  try {
    await readAdmin(runtimeDir, '/v1/status')
    return true
  } catch {
    return false
  }
}

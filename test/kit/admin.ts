/** The operator's socket over records of a test, and the `atoll` command that uses it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { createAdmin } from '../../src/api/admin.ts'
import { createLocalBus } from '../../src/bus/local.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import { ipv4 } from '../../src/model/addr.ts'
import type { HostName } from '../../src/model/ids.ts'
import { PLAIN_NAT } from '../../src/model/nat.ts'
import { adminSocketFile } from '../../src/operator/admin-client.ts'
import { withoutReplica } from '../../src/store/replica-reads.ts'
import type { Store } from '../../src/store/store.ts'
import { silentLog } from '../../tools/kit/log.ts'

/** A daemon's socket, without the daemon. */
export interface OpenAdmin extends AsyncDisposable {
  /** Runs `atoll` with these words. */
  atoll(...words: readonly string[]): Promise<{
    readonly code: number | null
    readonly out: string
    readonly error: string
  }>
}

/** Opens it in a directory of its own. */
export async function openAdmin(store: Store, host: HostName): Promise<OpenAdmin> {
  const directory = await mkdtemp(join(tmpdir(), 'atoll-admin-'))
  const config = join(directory, 'atoll.yaml')
  await writeFile(config, `runtimeDir: ${directory}\n`)
  const admin = createAdmin({
    store: withoutReplica(store),
    bus: createLocalBus(),
    host,
    version: '0',
    clock: systemClock,
    log: silentLog,
    metrics: createMetrics(),
    agentStatus: () => ({}),
    unreadable: () => [],
    warm: () => [],
    health: () => [],
    trace: () => Promise.reject(new Error('there is no packet')),
    surroundings: async () => ({
      host,
      zone: 'atoll.internal',
      reach: [],
      pools: [],
      engines: [],
      instanceToHostPorts: [],
      fabric: { mode: 'direct' },
      nat: PLAIN_NAT,
      routing: {
        defaultRoutes: [{ link: 'eth0', gateway: ipv4('10.0.0.1') }],
        connected: [],
        addresses: [],
        engineBridges: [],
        forwardedBefore: true,
      },
    }),
    upgrader: { wants: () => false, take: () => {} },
    consoleLocator: { seek: () => Promise.reject(new Error('there are no consoles')) },
    socketFile: adminSocketFile(directory),
    listen: '127.0.0.1',
    port: 0,
  })
  await admin.listen()
  return {
    async atoll(...words) {
      const child = spawn(process.execPath, ['src/cli.ts', '--config', config, ...words])
      const [out, error] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        once(child, 'close'),
      ])
      return { code: child.exitCode, out, error }
    },
    async [Symbol.asyncDispose]() {
      await admin.close()
      await rm(directory, { recursive: true })
    },
  }
}

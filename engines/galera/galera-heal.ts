/**
 * Repairs this machine's Galera node. `engines/galera/galera-watch` starts it when the node has
 * been unhealthy for some time. It checks this node and the others until the node is healthy. If
 * the node runs outside of a primary component, it may form one (`galera/heal.ts`). If the node is
 * stuck, it is stopped (`galera/stuck.ts`), and its service manager starts it again.
 *
 * Ends when there is nothing more to do. Exit code 3: the node was stopped.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { freeBytes } from '../../src/lib/disk-space.ts'
import { systemRunner } from '../../src/lib/runner.ts'
import { accessOptions, readAccess } from './access.ts'
import type { Position } from './decide.ts'
import { readPosition } from './disk.ts'
import { decideHealing, type Running } from './heal.ts'
import { askPosition, servePosition } from './positions.ts'
import { dataFingerprint, endServer, findServer } from './server.ts'
import { askStatus } from './serving.ts'
import { type NodeStatus, nodeStatus } from './status.ts'
import { decideStuck, fingerprint } from './stuck.ts'

const ROUND_MS = 1000
/** By then Galera has had the time to form a component by itself. */
const PATIENCE_MS = 5000
const WAS_ENDED = 3

function say(line: string): void {
  process.stderr.write(`galera-heal: ${line}\n`)
}

function readSettings() {
  const { values } = parseArgs({
    options: {
      self: { type: 'string', default: '' },
      nodes: { type: 'string', default: '' },
      'secret-file': { type: 'string', default: '/etc/atoll/secret' },
      'data-dir': { type: 'string', default: '/var/lib/mysql' },
      ...accessOptions,
      port: { type: 'string', default: '4569' },
    },
  })
  const nodes = values.nodes.split(',')
  if (!nodes.includes(values.self)) throw new Error('--nodes must have --self among them')
  return {
    self: values.self,
    nodes,
    secret: readFileSync(values['secret-file'], 'utf8').trim(),
    dataDir: values['data-dir'],
    access: readAccess(values),
    port: Number(values.port),
  }
}

type Settings = ReturnType<typeof readSettings>

/** Runs SQL on this machine's node as its administrator. Null when it does not answer. */
async function sql(statement: string): Promise<string | null> {
  const argv = ['--no-defaults', '--connect-timeout=2', '--batch', '-N', '-e', statement]
  const { exitCode, stdout } = await systemRunner('mariadb', argv, { timeoutMs: 5000 })
  return exitCode === 0 ? stdout : null
}

/** The status of this machine's node. Null: it does not answer. `none`: it runs without Galera. */
async function ownStatus(): Promise<NodeStatus | 'none' | null> {
  const said = await sql("SHOW GLOBAL STATUS LIKE 'wsrep_%'")
  return said === null ? null : (nodeStatus(said.split('\n').map(splitOnce)) ?? 'none')
}

function splitOnce(line: string): readonly [string, string] {
  const [name = '', value = ''] = line.split('\t')
  return [name, value]
}

/** The position of a node that runs outside of a primary component. */
async function lostPosition(dataDir: string, { history, commit }: NodeStatus): Promise<Position> {
  return readPosition(dataDir, { history, commit })
}

async function hearStatuses(settings: Settings): Promise<ReadonlyMap<string, NodeStatus>> {
  const { self, nodes, access } = settings
  const answers = await Promise.all(
    nodes
      .filter((node) => node !== self)
      .map(async (node): Promise<readonly (readonly [string, NodeStatus])[]> => {
        const status = await askStatus(node, access)
        return status === null ? [] : [[node, status]]
      }),
  )
  return new Map(answers.flat())
}

async function hearPositions(settings: Settings): Promise<ReadonlyMap<string, Running>> {
  const { port, secret } = settings
  const statuses = await hearStatuses(settings)
  const answers = await Promise.all(
    // A node that does not run has its own `galera-start`, which will join.
    [...statuses].map(async ([node, { component }]) => {
      const told = await askPosition(node, port, secret)
      const position = told?.kind === 'waiting' ? told.position : null
      return [node, { primary: component === 'Primary', position }] as const
    }),
  )
  return new Map(answers)
}

/**
 * Runs from the first sign that this node is outside of a primary component until it is in one or
 * has ended.
 */
async function heal(settings: Settings, lost: NodeStatus): Promise<void> {
  const { self, port, secret, dataDir, nodes } = settings
  const first = await lostPosition(dataDir, lost)
  say(`outside of a primary component, at commit ${first.commit}`)
  using _told = await servePosition({ node: self, address: self, port, position: first, secret })
  const began = performance.now()
  let said = ''
  for (;;) {
    await sleep(ROUND_MS)
    const status = await ownStatus()
    if (status === null || status === 'none' || status.component !== 'non-Primary') return
    const own = await lostPosition(dataDir, status)
    // Nothing is committed here, so the position stays valid. Another view means a new start.
    if (own.view?.id !== first.view?.id || own.commit !== first.commit) return
    const decision = decideHealing({ nodes, self, own, heard: await hearPositions(settings) })
    if (decision.why !== said) say(decision.why)
    said = decision.why
    if (decision.kind === 'bootstrap' && performance.now() - began > PATIENCE_MS) {
      say('makes a primary component')
      await sql("SET GLOBAL wsrep_provider_options = 'pc.bootstrap=YES'")
      return
    }
  }
}

/** Checks until the node is healthy or gone. True when it had to be stopped. */
async function watch(settings: Settings): Promise<boolean> {
  const { dataDir, nodes, self } = settings
  let mark = ''
  let since = performance.now()
  let said = ''
  for (;;) {
    const server = await findServer(dataDir)
    const own = await ownStatus()
    if (server === null || own === 'none') return false
    if (own?.component === 'non-Primary') await heal(settings, own)
    const now = `${server.pid} ${fingerprint(own, await dataFingerprint(dataDir))}`
    if (now !== mark) since = performance.now()
    mark = now
    const decision = decideStuck({
      nodes,
      self,
      own,
      sameForMs: performance.now() - since,
      freeBytes: await freeBytes(dataDir),
      heard: await hearStatuses(settings),
    })
    if (decision.kind === 'healthy') return false
    if (decision.why !== said) say(decision.why)
    said = decision.why
    if (decision.kind === 'restart') {
      say(`ends mariadbd (${server.pid}), which starts again`)
      if (!(await endServer(server))) throw new Error(`mariadbd (${server.pid}) does not end`)
      return true
    }
    await sleep(ROUND_MS)
  }
}

async function main(): Promise<void> {
  if (await watch(readSettings())) process.exitCode = WAS_ENDED
}

main().catch((error: unknown) => {
  say(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
})

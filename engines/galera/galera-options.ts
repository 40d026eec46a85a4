/**
 * Finds the options with which this node must start, for `engines/galera/galera-start`, which then
 * becomes mariadbd. It waits for the other nodes as long as necessary, and prints the options on
 * one line. All messages go to stderr.
 *
 * It holds no lock and keeps no state except the disk's. If it is killed and started again, it
 * finds the same answer.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { freeBytes } from '../../src/lib/disk-space.ts'
import { type Access, accessOptions, readAccess } from './access.ts'
import { type Decision, decide, type Heard, type Position } from './decide.ts'
import { allowBootstrap, parseStartPosition, putViewAside, readPosition } from './disk.ts'
import { askPosition, servePosition } from './positions.ts'
import { askServing } from './serving.ts'
import { MIN_FREE_BYTES } from './stuck.ts'

const ROUND_MS = 500
const SAY_AGAIN_MS = 30_000

interface Settings {
  readonly self: string
  readonly nodes: readonly string[]
  /** The key that signs the positions of stopped nodes. */
  readonly secret: string
  readonly access: Access
  readonly dataDir: string
  readonly recovered: string
  readonly newClusterMark: string | null
  readonly initFile: string | null
  readonly patienceMs: number
  readonly port: number
}

function say(line: string): void {
  process.stderr.write(`galera-start: ${line}\n`)
}

function readSettings(): Settings {
  const { values } = parseArgs({
    options: {
      self: { type: 'string' },
      nodes: { type: 'string' },
      'secret-file': { type: 'string' },
      ...accessOptions,
      'data-dir': { type: 'string', default: '/var/lib/mysql' },
      recovered: { type: 'string', default: '' },
      'new-cluster-mark': { type: 'string' },
      'init-file': { type: 'string' },
      'patience-seconds': { type: 'string', default: '300' },
      port: { type: 'string', default: '4569' },
    },
  })
  const self = required(values.self, '--self')
  const nodes = required(values.nodes, '--nodes').split(',')
  if (!nodes.includes(self)) throw new Error(`--nodes must have --self (${self}) among them`)
  return {
    self,
    nodes,
    secret: readFileSync(required(values['secret-file'], '--secret-file'), 'utf8').trim(),
    access: readAccess(values),
    dataDir: values['data-dir'],
    recovered: values.recovered,
    newClusterMark: values['new-cluster-mark'] ?? null,
    initFile: values['init-file'] ?? null,
    patienceMs: wholeNumber(values['patience-seconds'], '--patience-seconds') * 1000,
    port: wholeNumber(values.port, '--port'),
  }
}

function required(value: string | undefined, name: string): string {
  if (value === undefined || value === '') throw new Error(`${name} is needed`)
  return value
}

function wholeNumber(value: string, name: string): number {
  const number = Number(value)
  if (!Number.isSafeInteger(number) || number < 0) throw new Error(`${name} must be a whole number`)
  return number
}

/** Asks all other nodes at once. */
async function listen({
  self,
  nodes,
  port,
  access,
  secret,
}: Settings): Promise<ReadonlyMap<string, Heard>> {
  const answers = await Promise.all(
    nodes
      .filter((node) => node !== self)
      .map(async (node) => {
        const [serving, waiting] = await Promise.all([
          askServing(node, access),
          askPosition(node, port, secret),
        ])
        const heard = serving ?? waiting
        return heard === null ? [] : [[node, heard] as const]
      }),
  )
  return new Map(answers.flat())
}

/** Repeats until there is a decision. */
async function settle(
  settings: Settings,
  own: Position,
): Promise<Exclude<Decision, { kind: 'wait' }>> {
  const { self, nodes, newClusterMark, patienceMs } = settings
  using _told = await servePosition({
    node: self,
    address: self,
    port: settings.port,
    position: own,
    secret: settings.secret,
  })
  const began = performance.now()
  let said: string | null = null
  let saidAt = 0
  for (;;) {
    const waitedMs = performance.now() - began
    const decision = decide({
      nodes,
      self,
      own,
      heard: await listen(settings),
      patienceEnded: waitedMs >= patienceMs,
      newCluster: newClusterMark !== null && existsSync(newClusterMark),
    })
    const why = await reasonToWait(decision, settings.dataDir)
    if (why === null && decision.kind !== 'wait') return decision
    if (why !== said || waitedMs - saidAt >= SAY_AGAIN_MS) {
      say(`waits (${Math.round(waitedMs / 1000)} s): ${why}`)
      said = why
      saidAt = waitedMs
    }
    await sleep(ROUND_MS)
  }
}

/**
 * With a full disk a state transfer would fail at its end, and keep the donor from its work
 * meanwhile.
 */
async function reasonToWait(decision: Decision, dataDir: string): Promise<string | null> {
  if (decision.kind === 'wait') return decision.why
  const joinsNow = decision.kind === 'join' && decision.primary
  return joinsNow && (await freeBytes(dataDir)) < MIN_FREE_BYTES ? 'the disk is full' : null
}

async function main(): Promise<void> {
  const settings = readSettings()
  const { dataDir, initFile, newClusterMark } = settings
  const recovered = parseStartPosition(settings.recovered)
  const own = await readPosition(dataDir, recovered)
  // The permission to start a new cluster ends with the first start.
  if (own.history !== null && newClusterMark !== null) rmSync(newClusterMark, { force: true })
  say(`this node: history ${own.history ?? 'none'}, commit ${own.commit}`)
  const decision = await settle(settings, own)
  const options: string[] = []
  if (recovered !== null)
    options.push(`--wsrep_start_position=${recovered.history}:${recovered.commit}`)
  if (decision.kind === 'bootstrap') {
    say(`starts the cluster: ${decision.why}`)
    await allowBootstrap(dataDir)
    options.push('--wsrep-new-cluster')
    // At every start of the cluster, because the first one may have been interrupted. The file must
    // tolerate repetition.
    if (initFile !== null) options.push(`--init-file=${initFile}`)
  } else {
    say(decision.primary ? 'joins' : 'joins those who wait for their majority')
    if (decision.primary) await putViewAside(dataDir)
  }
  process.stdout.write(`${options.join(' ')}\n`)
}

main().catch((error: unknown) => {
  say(error instanceof Error ? error.message : String(error))
  process.exit(1)
})

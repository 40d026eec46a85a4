/**
 * What `scripts/galera-watch` starts when this machine's Galera node runs outside of a primary component: asks the other nodes and, if
 * `galera/heal.ts` says so, makes a primary component of those that are there. Ends when there is nothing more to heal here.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { systemRunner } from '../src/lib/runner.ts'
import type { Position } from './galera/decide.ts'
import { readPosition } from './galera/disk.ts'
import { decideHealing, type Running } from './galera/heal.ts'
import { askServing } from './galera/serving.ts'
import { askPosition, tellPosition } from './galera/talk.ts'

const ROUND_MS = 1000
/** Galera has had the time to meet by itself. */
const PATIENCE_MS = 5000

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
      'mysql-port': { type: 'string', default: '3306' },
      port: { type: 'string', default: '4569' },
      user: { type: 'string', default: 'atoll' },
    },
  })
  const nodes = values.nodes.split(',')
  if (!nodes.includes(values.self)) throw new Error('--nodes must have --self among them')
  return {
    self: values.self,
    nodes,
    secret: readFileSync(values['secret-file'], 'utf8').trim(),
    dataDir: values['data-dir'],
    mysqlPort: Number(values['mysql-port']),
    port: Number(values.port),
    user: values.user,
  }
}

type Settings = ReturnType<typeof readSettings>

/** Runs SQL on this machine's node as its administrator; null when it does not answer. */
async function sql(statement: string): Promise<string | null> {
  const argv = ['--no-defaults', '--connect-timeout=2', '--batch', '-N', '-e', statement]
  const { exitCode, stdout } = await systemRunner('mariadb', argv, { timeoutMs: 5000 })
  return exitCode === 0 ? stdout : null
}

/** The position of this node while it runs outside of a primary component; null otherwise. */
async function lostPosition(dataDir: string): Promise<Position | null> {
  const said = await sql("SHOW GLOBAL STATUS LIKE 'wsrep_%'")
  const status = new Map((said ?? '').split('\n').map((line) => splitOnce(line)))
  if (status.get('wsrep_cluster_status') !== 'non-Primary') return null
  const history = status.get('wsrep_cluster_state_uuid') ?? ''
  const commit = Number(status.get('wsrep_last_committed'))
  return Number.isSafeInteger(commit) ? readPosition(dataDir, { history, commit }) : null
}

function splitOnce(line: string): readonly [string, string] {
  const [name = '', value = ''] = line.split('\t')
  return [name, value]
}

async function listen(settings: Settings): Promise<ReadonlyMap<string, Running>> {
  const { self, nodes, mysqlPort, port, user, secret } = settings
  const answers = await Promise.all(
    nodes
      .filter((node) => node !== self)
      .map(async (node): Promise<readonly (readonly [string, Running])[]> => {
        const [serving, told] = await Promise.all([
          askServing(node, mysqlPort, user, secret),
          askPosition(node, port, secret),
        ])
        // One that does not run has a `galera-start` of its own, which joins us.
        if (serving?.kind !== 'serving') return []
        const position = told?.kind === 'waiting' ? told.position : null
        return [[node, { primary: serving.primary, position }]]
      }),
  )
  return new Map(answers.flat())
}

/** From the first sign that this node is alone until it is not, or is not there any more. */
async function heal(settings: Settings, first: Position): Promise<void> {
  const { self, port, secret, dataDir, nodes } = settings
  say(`outside of a primary component, at commit ${first.commit}`)
  using _told = await tellPosition({ node: self, address: self, port, position: first, secret })
  const began = performance.now()
  let said = ''
  for (;;) {
    await sleep(ROUND_MS)
    const own = await lostPosition(dataDir)
    // Nothing is committed here, so what was told at first stays true; another view is another beginning.
    if (own?.view?.id !== first.view?.id || own?.commit !== first.commit) return
    const decision = decideHealing({ nodes, self, own, heard: await listen(settings) })
    if (decision.why !== said) say(decision.why)
    said = decision.why
    if (decision.kind === 'bootstrap' && performance.now() - began > PATIENCE_MS) {
      say('makes a primary component')
      await sql("SET GLOBAL wsrep_provider_options = 'pc.bootstrap=YES'")
      return
    }
  }
}

const settings = readSettings()
const lost = await lostPosition(settings.dataDir)
if (lost !== null)
  await heal(settings, lost).catch((error: unknown) => {
    say(error instanceof Error ? error.message : String(error))
    process.exitCode = 1
  })

/**
 * Check of `atoll doctor`: the engines on this host (`scripts/install --engines`). Who can reach
 * them, and how long their certificates are valid. Changes nothing.
 */
import { readFile } from 'node:fs/promises'
import { certificateFacts, certificateFiles } from '../lib/certificates.ts'
import { exists } from '../lib/files.ts'
import { systemRunner } from '../lib/runner.ts'
import { type CheckResult, fail, ok, warn } from './doctor-check.ts'

/** Written by `scripts/install --engines`. Without it this host has no engines of Atoll. */
const SETTINGS = '/etc/atoll/engines.conf'
/** The engines' own copies (`scripts/engines-guard`). */
const COPIES = ['/etc/mysql/atoll-tls', '/etc/rabbitmq/atoll-tls']
/**
 * MariaDB, Galera and its transfers, AMQP, Erlang's port mapper and nodes, RabbitMQ's management.
 */
const PORTS: ReadonlySet<number> = new Set([
  3306, 4369, 4444, 4567, 4568, 4569, 5671, 5672, 15672, 25672,
])
/** `scripts/engines-guard` renews them a month before they expire. */
const WARN_DAYS = 20
/** TCP_LISTEN (proc(5), net/tcp). */
const LISTENING = '0A'

/**
 * Whether the firewall protects the engines, whether they listen on the fabric only, and how long
 * their certificates are valid.
 */
export async function checkEngines(): Promise<CheckResult> {
  if (!(await exists(SETTINGS))) return ok('none on this host')
  const guard = 'systemctl restart atoll-engines; then: journalctl -u atoll-engines'
  const { stdout } = await systemRunner('nft', ['list', 'chain', 'inet', 'atoll_engines', 'input'])
  if (!/counter packets \d+ bytes \d+ drop/.test(stdout))
    return fail(
      'anybody can reach their ports: the nftables table inet atoll_engines is missing',
      guard,
    )
  const open = (await openPorts()).filter((port) => PORTS.has(port))
  if (open.length > 0)
    return warn(
      `they listen on all addresses at ports ${open.join(', ')}`,
      'run scripts/install --engines again with the options of this host',
    )
  const days: number[] = []
  for (const directory of COPIES) {
    const { cert } = certificateFiles(directory)
    const facts = await certificateFacts(cert, Date.now())
    if (facts === null) return fail(`${cert} is missing or cannot be read`, guard)
    days.push(facts.daysLeft)
  }
  const left = Math.min(...days)
  const found = `only hosts of the cluster can reach them; their certificates are valid for ${left} days`
  return left >= WARN_DAYS ? ok(found) : warn(found, guard)
}

/** Ports at which a program listens on all addresses of this host, in order. */
async function openPorts(): Promise<readonly number[]> {
  const texts = await Promise.all(
    ['/proc/net/tcp', '/proc/net/tcp6'].map((file) => readFile(file, 'utf8').catch(() => '')),
  )
  return parseOpenPorts(texts.join('\n'))
}

/**
 * The ports in /proc/net/tcp and tcp6 that listen on 0.0.0.0 or ::, each once and in order. Pure.
 */
export function parseOpenPorts(text: string): readonly number[] {
  const ports = text.split('\n').flatMap((line) => {
    const [, local = '', , state] = line.trim().split(/\s+/)
    const match = /^(?:0{8}|0{32}):([0-9A-F]{4})$/.exec(local)
    return state === LISTENING && match?.[1] !== undefined ? [Number.parseInt(match[1], 16)] : []
  })
  return [...new Set(ports)].sort((a, b) => a - b)
}

/**
 * Rules in Docker's chain for other programs, `DOCKER-USER`. Docker's FORWARD policy is DROP, and a
 * drop in any base chain is final. So packets from and to Atoll's NICs are accepted there; Atoll's
 * own table filters them (https://docs.docker.com/engine/network/packet-filtering-firewalls/).
 *
 * Docker uses iptables-nft or iptables-legacy, so both are read. Without iptables or the chain
 * there is nothing to do.
 */
import { existsSync, readFileSync } from 'node:fs'
import { errnoOf } from '../../lib/errno.ts'
import { failureOf, type Runner } from '../../lib/runner.ts'
import { unavailable } from '../../model/errors.ts'
import { DOCKER_USER_COMMENT } from '../../model/names.ts'

const CHAIN = 'DOCKER-USER'
/** iptables(8) -w: another program may hold the lock for a moment. */
const WAIT_FOR_LOCK = ['-w', '5']

/** Our rules in the chain, whichever program made it. */
export interface DockerUser {
  /**
   * Accepts traffic of links that match a pattern (iptables(8) -i, e.g. `at-h+`). Returns whether
   * something had to be added.
   */
  ensure(patterns: readonly string[]): Promise<boolean>
  /** Removes every rule with our comment. Returns the rules it removed. */
  remove(): Promise<readonly string[]>
}

/** `run` starts the iptables programs. Errors: `unavailable` when one refuses. */
export function createDockerUser(run: Runner): DockerUser {
  const iptables = async (program: string, args: readonly string[]): Promise<string> => {
    const result = await run(program, [...WAIT_FOR_LOCK, ...args])
    if (result.exitCode === 0) return result.stdout
    throw unavailable('iptables refused a rule in DOCKER-USER', new Error(failureOf(result)))
  }
  /** The chain's rules in iptables-save form, or null where the program or the chain is missing. */
  const list = async (program: string): Promise<readonly string[] | null> => {
    try {
      const result = await run(program, [...WAIT_FOR_LOCK, '-S', CHAIN])
      return result.exitCode === 0 ? parseRules(result.stdout) : null
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return null
      throw unavailable('iptables cannot be started', error)
    }
  }

  return {
    ensure: async (patterns) => {
      let added = false
      for (const program of programs()) {
        const rules = await list(program)
        if (rules === null) continue
        for (const rule of patterns.flatMap(ourRules)) {
          if (rules.includes(`-A ${CHAIN} ${rule.join(' ')}`)) continue
          await iptables(program, ['-I', CHAIN, ...rule])
          added = true
        }
      }
      return added
    },
    remove: async () => {
      const removed: string[] = []
      for (const program of programs()) {
        for (const rule of ((await list(program)) ?? []).filter(isOurs)) {
          await iptables(program, ['-D', ...rule.split(' ').slice(1)])
          removed.push(`${program} ${rule}`)
        }
      }
      return removed
    },
  }
}

/**
 * Asking the legacy program loads its kernel modules, so it is asked only where they are in use
 * (/proc/net/ip_tables_names).
 */
function programs(): readonly string[] {
  const names = '/proc/net/ip_tables_names'
  const legacyInUse =
    existsSync(names) && readFileSync(names, 'utf8').split('\n').includes('filter')
  return legacyInUse ? ['iptables-nft', 'iptables-legacy'] : ['iptables-nft']
}

function ourRules(pattern: string): readonly (readonly string[])[] {
  return ['-i', '-o'].map((direction) => [
    direction,
    pattern,
    '-m',
    'comment',
    '--comment',
    DOCKER_USER_COMMENT,
    '-j',
    'ACCEPT',
  ])
}

/**
 * Rules as iptables -S prints them. Older versions put the comment in quotes, newer ones do not.
 */
function parseRules(listing: string): readonly string[] {
  return listing
    .split('\n')
    .filter((line) => line.startsWith('-A '))
    .map((line) => line.replaceAll(`"${DOCKER_USER_COMMENT}"`, DOCKER_USER_COMMENT))
}

function isOurs(rule: string): boolean {
  return rule.includes(` --comment ${DOCKER_USER_COMMENT} `)
}

/**
 * Which rules of another firewall stand in the instances' way: ufw, firewalld and their like drop
 * what they do not know, and scripts drop what they mean for the world outside. Says what it found
 * and changes nothing.
 */
import type { Config } from '../config.ts'
import { readForeignRules } from '../host/nftables/foreign-rules.ts'
import { systemRunner } from '../lib/runner.ts'
import { explainObstacle, findObstacles, placesIn } from '../model/foreign-rules.ts'
import { fail, ok, type Verdict, warn } from './verdict.ts'

/** Looks at all rules of nftables, and at those of both kinds of iptables. */
export async function checkForeignFirewall({
  network,
  store,
}: Pick<Config, 'network' | 'store'>): Promise<Verdict> {
  const found = findObstacles(
    await readForeignRules(systemRunner),
    placesIn(network.subnet, store.kind !== 'sqlite'),
  )
  if (found.length === 0) return ok('no other firewall drops packets of instances')
  const said = found.map(explainObstacle)
  const what = said.map((one) => one.what).join('; ')
  const fix = said.map((one) => one.fix).join('; ')
  return found.some(({ isVital }) => isVital) ? fail(what, fix) : warn(what, fix)
}

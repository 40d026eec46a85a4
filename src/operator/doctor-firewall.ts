/**
 * Check of `atoll doctor`: rules of other firewalls that drop packets of instances. ufw, firewalld
 * and similar programs drop what they do not know. Changes nothing.
 */
import type { Config } from '../config.ts'
import { readForeignRules } from '../host/nftables/foreign-rules.ts'
import { systemRunner } from '../lib/runner.ts'
import { explainBlockingChain, findBlockingChains, probeAddresses } from '../model/foreign-rules.ts'
import { type CheckResult, fail, ok, warn } from './doctor-check.ts'

/** Reads all rules of nftables, iptables-nft and iptables-legacy. */
export async function checkForeignFirewall({
  network,
  store,
}: Pick<Config, 'network' | 'store'>): Promise<CheckResult> {
  const found = findBlockingChains(
    await readForeignRules(systemRunner),
    probeAddresses(network.subnet, store.kind !== 'sqlite'),
  )
  if (found.length === 0) return ok('no other firewall drops packets of instances')
  const said = found.map(explainBlockingChain)
  const what = said.map((one) => one.what).join('; ')
  const fix = said.map((one) => one.fix).join('; ')
  return found.some(({ isVital }) => isVital) ? fail(what, fix) : warn(what, fix)
}

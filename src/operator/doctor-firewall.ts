/**
 * Check of `atoll doctor`: rules of other firewalls that drop packets of instances, on the machine
 * and in the network namespaces of VPCs. ufw, firewalld and similar programs drop what they do not
 * know. Changes nothing.
 */
import { readdir } from 'node:fs/promises'
import type { Config } from '../config.ts'
import { namespaceDirectory } from '../host/network/vpc-namespaces.ts'
import { readForeignRules } from '../host/nftables/foreign-rules.ts'
import { below } from '../lib/paths.ts'
import { type Runner, systemRunner } from '../lib/runner.ts'
import { explainBlockingChain, findBlockingChains, probeAddresses } from '../model/foreign-rules.ts'
import { networkOfNamespace, PEER_LINK_PREFIX } from '../model/names.ts'
import { type CheckResult, fail, ok, warn } from './doctor-check.ts'

/** Reads all rules of nftables, iptables-nft and iptables-legacy. */
export async function checkForeignFirewall(
  config: Pick<Config, 'network' | 'store' | 'runtimeDir'>,
): Promise<CheckResult> {
  const { subnet } = config.network
  const hasPeers = config.store.kind !== 'sqlite'
  const directory = namespaceDirectory(config.runtimeDir)
  const namespaces = (await readdir(directory).catch(() => [])).filter(
    (name) => networkOfNamespace(name) !== undefined,
  )
  const own = findBlockingChains(
    await readForeignRules(systemRunner),
    probeAddresses(subnet, {
      hasPeers,
      hasVpcs: namespaces.length > 0,
      isPeered: await isPeered(systemRunner),
    }),
  )
  const found = [...own]
  const said = own.map(explainBlockingChain)
  for (const name of namespaces) {
    const inside = within(below(directory, name))
    const places = { hasPeers, inVpc: true, isPeered: await isPeered(inside) }
    const there = findBlockingChains(await readForeignRules(inside), probeAddresses(subnet, places))
    found.push(...there)
    for (const { what, fix } of there.map(explainBlockingChain))
      said.push({
        what: `in the network namespace ${name}: ${what}`,
        fix: `in there (ip netns exec ${name} sh): ${fix}`,
      })
  }
  if (found.length === 0) return ok('no other firewall drops packets of instances')
  const what = said.map((one) => one.what).join('; ')
  const fix = said.map((one) => one.fix).join('; ')
  return found.some(({ isVital }) => isVital) ? fail(what, fix) : warn(what, fix)
}

/** Whether there is a link to a peered VPC. */
async function isPeered(run: Runner): Promise<boolean> {
  const { stdout } = await run('cat', ['/proc/net/dev'])
  return stdout.includes(PEER_LINK_PREFIX)
}

/** Programs in a network namespace. */
function within(namespace: string): Runner {
  return (program, args, run) =>
    systemRunner('nsenter', [`--net=${namespace}`, '--', program, ...args], run)
}

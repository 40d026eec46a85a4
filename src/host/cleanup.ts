/**
 * Removes everything of Atoll from the kernel, for `--down` and uninstalling, after the instances
 * have ended.
 *
 * Removes what carries a mark of `model/names.ts`, whichever daemon made it, and nothing else. The
 * rules are removed last, so that no link is ever up without them.
 */
import type { Runner } from '../lib/runner.ts'
import { systemRunner } from '../lib/runner.ts'
import { LINK_PREFIX, NFT_TABLE, ROUTE_PROTOCOL } from '../model/names.ts'
import { loadLibc } from './libc.ts'
import { createIp } from './netlink/ip.ts'
import { openRouteNetlink } from './netlink/netlink.ts'
import { removeProxies } from './network/floating-ips.ts'
import { createForwarding } from './network/forwarding.ts'
import { readHostRouting } from './network/host-routing.ts'
import { removeLink } from './network/nics.ts'
import { removePoolGateways } from './network/pool-gateways.ts'
import { removeRouterRoutes } from './network/router-routes.ts'
import { NAMESPACE_DIRECTORY, removeVpcNamespaces } from './network/vpc-namespaces.ts'
import { createDockerUser } from './nftables/docker-user.ts'
import { createNft } from './nftables/nft.ts'

/**
 * Removes the namespaces of VPCs, and Atoll's links, routes, DOCKER-USER rules and nftables tables
 * from this network namespace.
 * Switches IPv4 forwarding off if `forwardingFile` says that it was off before Atoll, unless a
 * Docker Engine needs it. Returns a line for each thing removed. May be repeated. Errors: the
 * kernel's own, or `unavailable` from nft and iptables.
 */
export async function removeAllOfOurs(
  forwardingFile: string | null = null,
  options: { readonly runner?: Runner; readonly namespaceDirectory?: string } = {},
): Promise<readonly string[]> {
  const runner = options.runner ?? systemRunner
  const removed: string[] = []
  const ip = createIp(openRouteNetlink())
  try {
    const machine = { machine: ip, libc: loadLibc(), runner }
    const directory = options.namespaceDirectory ?? NAMESPACE_DIRECTORY
    for (const name of await removeVpcNamespaces(machine, directory))
      removed.push(`network namespace ${name}`)
    for (const ip4 of await removeProxies(ip)) removed.push(`proxy ARP for ${ip4}`)
    for (const { name } of await ip.links()) {
      if (!name.startsWith(LINK_PREFIX)) continue
      await removeLink(ip, name)
      removed.push(`link ${name}`)
    }
    for (const route of await ip.routes()) {
      if (route.protocol !== ROUTE_PROTOCOL) continue
      await ip.deleteRoute(route)
      removed.push(`route ${route.kind} ${route.destination}/${route.prefix}`)
    }
    for (const change of await removePoolGateways(ip))
      removed.push(`policy route ${change.slice(1)}`)
    for (const change of await removeRouterRoutes(ip)) removed.push(`subnet ${change.slice(1)}`)
    await ip.deleteLockRule()
    const { engineBridges } = await readHostRouting(ip)
    if (engineBridges.length === 0 && createForwarding(forwardingFile).restore())
      removed.push('IPv4 forwarding, which was off before')
  } finally {
    ip.close()
  }
  removed.push(...(await createDockerUser(runner).remove()))
  const nft = createNft(runner)
  for (const { family, name } of await nft.tables()) {
    if (!name.startsWith(NFT_TABLE)) continue
    await nft.remove(family, name)
    removed.push(`table ${family} ${name}`)
  }
  return removed
}

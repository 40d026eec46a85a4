/**
 * What keeps the fabric closed when it is to be encrypted and is not. Pure.
 *
 * Keys are the business of an IKE daemon (docs/security.md): it negotiates new ones, with forward
 * secrecy, and proves who the other is. Here it is only seen to that no packet of an instance comes
 * or goes without: VXLAN that IPsec did not unwrap, or will not wrap, is dropped. Syntax: nft(8),
 * "meta ipsec" and "rt ipsec".
 */
import type { FabricSettings } from '../model/fabric.ts'

/** Rules of the input chain, before all others on VXLAN; `drop` ends a rule. */
export function onlyUnwrapped(fabric: FabricSettings, drop: string): readonly string[] {
  return isNeeded(fabric) ? [`udp dport ${fabric.port} meta ipsec missing ${drop}`] : []
}

/** The output chain; none where nothing is to be encrypted. */
export function onlyWrapped(fabric: FabricSettings, drop: string): readonly string[] {
  if (!isNeeded(fabric)) return []
  return [
    'chain output {',
    '  type filter hook output priority filter; policy accept;',
    `  udp dport ${fabric.port} rt ipsec missing ${drop}`,
    '}',
  ]
}

function isNeeded({ mode, encryption }: FabricSettings): boolean {
  return mode === 'vxlan' && encryption === 'ipsec'
}

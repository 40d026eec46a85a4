/**
 * Rules that drop unencrypted fabric traffic where `fabric.encryption` is `ipsec`. Pure.
 *
 * An IKE daemon, which the operator runs (docs/security.md), negotiates keys and authenticates the
 * hosts. These rules only make sure that no packet of an instance travels in clear: they drop VXLAN
 * that did not arrive by IPsec or would not leave by it. Syntax: nft(8), "meta ipsec" and "rt
 * ipsec".
 */
import type { FabricSettings } from '../model/fabric.ts'

/** Rules for the input chain, before all others on VXLAN; `drop` is a rule's verdict. */
export function onlyUnwrapped(fabric: FabricSettings, drop: string): readonly string[] {
  return isNeeded(fabric) ? [`udp dport ${fabric.port} meta ipsec missing ${drop}`] : []
}

/** Rules for the output chain; `drop` is a rule's verdict. */
export function onlyWrapped(fabric: FabricSettings, drop: string): readonly string[] {
  return isNeeded(fabric) ? [`udp dport ${fabric.port} rt ipsec missing ${drop}`] : []
}

function isNeeded({ mode, encryption }: FabricSettings): boolean {
  return mode === 'vxlan' && encryption === 'ipsec'
}

/**
 * Rules that accept everything, for tests of links without a firewall: without any rules, the guard
 * programs on the links drop everything.
 */
import { ACCEPTED_MARK, UNVERIFIED_MARK } from '../../src/model/names.ts'

/** For `Host.applyRules`. */
export const OPEN_RULES = `
table inet open {
  chain prerouting {
    type filter hook prerouting priority -450; policy accept;
    meta mark set meta mark & ${~UNVERIFIED_MARK >>> 0}
  }
  chain postrouting {
    type filter hook postrouting priority 0; policy accept;
    meta mark set meta mark | ${ACCEPTED_MARK}
  }
}
`

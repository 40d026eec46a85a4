/**
 * Chooses the upstream servers: those of the settings or of `/etc/resolv.conf`, but never this
 * resolver itself. Pure.
 */
import { isIP } from 'node:net'
import type { Server } from './exchange.ts'

const DNS_PORT = 53
/** The C library's MAXNS is 3. This leaves room for settings that list more. */
const MAX_SERVERS = 8

/**
 * The servers of a resolv.conf, in its order (resolv.conf(5), `nameserver`). Lines without an
 * address are skipped.
 */
export function serversInResolvConf(text: string): readonly Server[] {
  return text.split('\n').flatMap((line) => {
    const [keyword, address] = line.trim().split(/\s+/)
    if (keyword !== 'nameserver' || address === undefined || isIP(address) === 0) return []
    return [{ address, port: DNS_PORT }]
  })
}

/**
 * Parses `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:5353`. Undefined for
 * anything else.
 */
export function parseServer(text: string): Server | undefined {
  if (isIP(text) !== 0) return { address: text, port: DNS_PORT }
  const match = /^(?:\[(?<v6>[^\]]+)\]|(?<v4>[^:]+)):(?<port>\d{1,5})$/.exec(text)?.groups
  const address = match?.['v6'] ?? match?.['v4'] ?? ''
  const port = Number(match?.['port'])
  const family = match?.['v6'] === undefined ? 4 : 6
  return isIP(address) === family && port > 0 && port < 65_536 ? { address, port } : undefined
}

/**
 * The servers to use: no duplicates, at most `MAX_SERVERS`, and none of the addresses that we
 * listen on, which would be a loop.
 */
export function usableServers(
  servers: readonly Server[],
  ownAddresses: ReadonlySet<string>,
  ownPort: number,
): readonly Server[] {
  const seen = new Map<string, Server>()
  for (const server of servers) {
    const isSelf = server.port === ownPort && ownAddresses.has(server.address)
    if (!isSelf) seen.set(serverName(server), server)
  }
  return [...seen.values()].slice(0, MAX_SERVERS)
}

/** The server's name in keys and logs. */
export function serverName(server: Server): string {
  return `${server.address}#${server.port}`
}

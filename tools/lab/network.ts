/**
 * The lab's two networks: the fabric, a bridge in its own namespace; and the uplinks to the outside
 * machine, a bridge in that machine. Every host has one port on each, with the host's name.
 *
 * A machine's namespace is created when it is switched on. It disappears with its routes, rules and
 * connections when it is switched off.
 */
import { systemRunner } from '../../src/lib/runner.ts'
import {
  type HostLayout,
  type LabLayout,
  netnsPrefix,
  OUTSIDE_GATEWAY,
  OUTSIDE_SERVER,
  PREFIX,
} from './layout.ts'
import { must } from './run.ts'

/**
 * STP states of a bridge port (linux/if_bridge.h). A disabled port passes nothing, but its host
 * keeps its carrier.
 */
const PORT_DISABLED = 0
const PORT_FORWARDING = 3
const UPLINK_BRIDGE = 'uplinks'
const BRIDGE_MAC = '02:00:00:00:00:01'
/** In its own namespace. Every host has a port on it. */
export const FABRIC_BRIDGE = 'fabric'

/** All namespaces on this machine, by name. */
async function namespaces(): Promise<readonly string[]> {
  const said = await must(['ip', 'netns', 'list'])
  return said.split('\n').flatMap((line) => line.split(' ')[0] ?? [])
}

/** The namespaces of this lab. */
export async function namespacesOf(lab: string): Promise<readonly string[]> {
  return (await namespaces()).filter((name) => name.startsWith(netnsPrefix(lab)))
}

async function addNamespace(name: string): Promise<void> {
  await must(['ip', 'netns', 'add', name])
  await must(['ip', '-n', name, 'link', 'set', 'lo', 'up'])
}

/**
 * Its address is set, because a bridge without one takes the lowest of its ports', and changes it
 * when that port is removed.
 */
async function addBridge(netns: string, bridge: string): Promise<void> {
  const fixed = ['address', BRIDGE_MAC]
  await must(['ip', '-n', netns, 'link', 'add', bridge, ...fixed, 'type', 'bridge'])
  await must(['ip', '-n', netns, 'link', 'set', bridge, 'up'])
}

/** Creates both bridges if they do not exist. */
export async function ensureNetworks(layout: LabLayout): Promise<void> {
  const there = await namespacesOf(layout.name)
  const { fabricNetns, outside } = layout
  if (!there.includes(fabricNetns)) {
    await addNamespace(fabricNetns)
    await addBridge(fabricNetns, FABRIC_BRIDGE)
  }
  if (!there.includes(outside.netns)) {
    await addNamespace(outside.netns)
    await addBridge(outside.netns, UPLINK_BRIDGE)
    await addAddress(outside.netns, UPLINK_BRIDGE, `${OUTSIDE_GATEWAY}/${PREFIX}`)
    await addAddress(outside.netns, 'lo', `${OUTSIDE_SERVER}/32`)
  }
}

async function addAddress(netns: string, link: string, address: string): Promise<void> {
  await must(['ip', '-n', netns, 'address', 'add', address, 'dev', link])
}

/** The host's namespace with its two links, addresses and default route. */
export async function plugIn(layout: LabLayout, host: HostLayout): Promise<void> {
  await addNamespace(host.netns)
  await addPort(layout.fabricNetns, FABRIC_BRIDGE, host, 'fabric')
  await addPort(layout.outside.netns, UPLINK_BRIDGE, host, 'uplink')
  await addAddress(host.netns, 'fabric', `${host.fabricAddress}/${PREFIX}`)
  await addAddress(host.netns, 'uplink', `${host.outsideAddress}/${PREFIX}`)
  await must(['ip', '-n', host.netns, 'route', 'add', 'default', 'via', OUTSIDE_GATEWAY])
}

async function addPort(
  netns: string,
  bridge: string,
  host: HostLayout,
  link: string,
): Promise<void> {
  const ends = ['type', 'veth', 'peer', 'name', link, 'netns', host.netns]
  await must(['ip', '-n', netns, 'link', 'add', host.name, ...ends])
  await must(['ip', '-n', netns, 'link', 'set', host.name, 'master', bridge, 'up'])
  await must(['ip', '-n', host.netns, 'link', 'set', link, 'up'])
}

/**
 * Nothing that the host sends from now on arrives, so that its ending processes cannot close their
 * connections.
 */
export async function disconnectLinks(layout: LabLayout, host: HostLayout): Promise<void> {
  for (const netns of [layout.fabricNetns, layout.outside.netns])
    await systemRunner('ip', ['-n', netns, 'link', 'set', host.name, 'down'])
}

/** Removes the host's links and namespace, if they exist. */
export async function unplug(layout: LabLayout, host: HostLayout): Promise<void> {
  for (const netns of [layout.fabricNetns, layout.outside.netns])
    await systemRunner('ip', ['-n', netns, 'link', 'delete', host.name])
  await removeNamespace(host.netns)
}

/** Does nothing if there is none. */
export async function removeNamespace(name: string): Promise<void> {
  if ((await namespaces()).includes(name)) await must(['ip', 'netns', 'delete', name])
}

/** Lets this host's port of the fabric pass everything or nothing. */
export async function setFabricPort(
  layout: LabLayout,
  host: HostLayout,
  passes: boolean,
): Promise<void> {
  const state = String(passes ? PORT_FORWARDING : PORT_DISABLED)
  await must(['bridge', '-n', layout.fabricNetns, 'link', 'set', 'dev', host.name, 'state', state])
}

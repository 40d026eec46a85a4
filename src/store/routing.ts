/** Reads how packets enter and leave the subnets of VPCs, and what their routes lead to. */
import type { InstanceId, NicId, PeeringId, VpcId } from '../model/ids.ts'
import type { Nic } from '../model/records.ts'
import type { VpcRouting } from '../model/vpc-routing.ts'
import type { ReadTx } from './store.ts'

/** Of these VPCs, or of all. */
export async function readRouting(
  tx: ReadTx,
  ids?: readonly VpcId[],
): Promise<readonly VpcRouting[]> {
  if (ids?.length === 0) return []
  const some = ids === undefined ? {} : { vpcs: ids }
  const gateways = ofVpc(await tx.internetGateways(some))
  const natGateways = ofVpc(await tx.natGateways(some))
  const tables = ofVpc(await tx.routeTables(some))
  const routes = ofVpc(await tx.routes(some))
  const associations = ofVpc(await tx.routeTableAssociations(some))
  const acls = ofVpc(await tx.networkAcls(some))
  const aclEntries = ofVpc(await tx.networkAclEntries(some))
  const aclAssociations = ofVpc(await tx.networkAclAssociations(some))
  const vpcs = ids ?? (await tx.vpcs({})).map(({ id }) => id)
  return vpcs.map((vpc) => ({
    vpc,
    internetGateways: gateways(vpc),
    natGateways: natGateways(vpc),
    tables: tables(vpc),
    routes: routes(vpc),
    associations: associations(vpc),
    acls: acls(vpc),
    aclEntries: aclEntries(vpc),
    aclAssociations: aclAssociations(vpc),
  }))
}

/** What routes lead to, beside gateways of the VPC. */
export interface RouteTargets {
  /** NICs of instances that run or are about to. */
  readonly nics: ReadonlyMap<NicId, Nic & { readonly instance: InstanceId }>
  readonly peerings: ReadonlySet<PeeringId>
}

/** What the routes of these VPCs lead to. */
export async function readRouteTargets(
  tx: ReadTx,
  routings: readonly VpcRouting[],
): Promise<RouteTargets> {
  const targets = routings.flatMap(({ routes }) => routes.map(({ target }) => target))
  const ids = targets.flatMap(({ kind, id }) => (kind === 'network-interface' ? id : []))
  const nics = ids.length === 0 ? [] : await tx.nics({ ids: [...new Set(ids)] })
  const owners = nics.flatMap(({ instance }) => instance ?? [])
  const instances = owners.length === 0 ? [] : await tx.instances({ ids: owners })
  const running = new Set(
    instances.flatMap(({ id, state }) => (state === 'pending' || state === 'running' ? id : [])),
  )
  const isPeered = targets.some(({ kind }) => kind === 'peering')
  const peerings = isPeered ? await tx.activePeerings() : []
  return {
    nics: new Map(
      nics.flatMap((nic) => {
        const { instance } = nic
        return instance !== null && running.has(instance)
          ? [[nic.id, { ...nic, instance }] as const]
          : []
      }),
    ),
    peerings: new Set(peerings.map(({ id }) => id)),
  }
}

function ofVpc<Item extends { readonly vpc: VpcId | null }>(items: readonly Item[]) {
  const byVpc = Map.groupBy(items, ({ vpc }) => vpc)
  return (vpc: VpcId): readonly Item[] => byVpc.get(vpc) ?? []
}

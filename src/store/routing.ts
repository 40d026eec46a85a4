/** Reads how packets enter and leave the subnets of VPCs. */
import type { VpcId } from '../model/ids.ts'
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

function ofVpc<Item extends { readonly vpc: VpcId | null }>(items: readonly Item[]) {
  const byVpc = Map.groupBy(items, ({ vpc }) => vpc)
  return (vpc: VpcId): readonly Item[] => byVpc.get(vpc) ?? []
}

/** The records of one VPC that say how packets enter and leave its subnets. Pure. */
import type { VpcId } from './ids.ts'
import type { NetworkAcl, NetworkAclAssociation, NetworkAclEntry } from './network-acl.ts'
import type {
  InternetGateway,
  NatGateway,
  Route,
  RouteTable,
  RouteTableAssociation,
} from './route-table.ts'

/** Without tables it is a VPC that an older daemon made. */
export interface VpcRouting {
  readonly vpc: VpcId
  /** Attached to it: one or none. */
  readonly internetGateways: readonly InternetGateway[]
  readonly natGateways: readonly NatGateway[]
  readonly tables: readonly RouteTable[]
  readonly routes: readonly Route[]
  readonly associations: readonly RouteTableAssociation[]
  readonly acls: readonly NetworkAcl[]
  readonly aclEntries: readonly NetworkAclEntry[]
  readonly aclAssociations: readonly NetworkAclAssociation[]
}

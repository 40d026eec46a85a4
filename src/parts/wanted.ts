/** What the process of DHCP, DNS and metadata should have of one network namespace. */
import type { InstanceWant } from '../model/want.ts'
import type {
  AnswerName,
  NamespaceName,
  NameWant,
  RoleDocument,
  SubnetWant,
  VpcWant,
} from './protocol.ts'
import type { ShelvedSocket } from './socket-shelf.ts'

export interface Wanted {
  readonly namespace: NamespaceName
  /** What was applied at least once. */
  readonly answers: Set<AnswerName>
  /** By what needs them, then by place. */
  readonly sockets: ReadonlyMap<AnswerName, Map<string, ShelvedSocket>>
  instances: readonly InstanceWant[]
  names: readonly NameWant[]
  vpcs: readonly VpcWant[]
  subnets: readonly SubnetWant[]
  roles: readonly RoleDocument[]
}

/** Nothing. */
export function nothingWanted(namespace: NamespaceName): Wanted {
  return {
    ...{ namespace, answers: new Set<AnswerName>() },
    sockets: new Map([
      ['dhcp', new Map()],
      ['dns', new Map()],
      ['metadata', new Map()],
    ]),
    ...{ instances: [], names: [], vpcs: [], subnets: [], roles: [] },
  }
}

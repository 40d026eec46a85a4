/** A flow log, and the NIC that it is about. */
import { DEFAULT_FIELDS, type FlowLogWant, type FlowRecordOwner } from '../../src/model/flow-log.ts'
import { account, numbered } from './records.ts'

export const OWNER: FlowRecordOwner = {
  account,
  nic: numbered('eni', 1),
  vpc: numbered('vpc', 1),
  subnet: numbered('subnet', 1),
  instance: numbered('i', 1),
}
export const LOG: FlowLogWant = {
  id: numbered('fl', 1),
  trafficType: 'ALL',
  destination: { kind: 'files', group: 'team/web' },
  fields: DEFAULT_FIELDS,
  aggregationSeconds: 60,
}

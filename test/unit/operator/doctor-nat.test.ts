import { expect, it } from 'vitest'
import { judgeNatPorts } from '../../../src/operator/doctor-nat.ts'

const metrics = (used: number) => `# HELP atoll_nat_ports Ports
# TYPE atoll_nat_ports gauge
atoll_nat_ports{instance="i-1",nic="eni-1"} 96
atoll_nat_ports{instance="i-2",nic="eni-2"} 768
atoll_nat_ports_used{instance="i-1",nic="eni-1"} ${used}
atoll_nat_ports_used{instance="i-2",nic="eni-2"} 12
`

it('names an instance that has used up its ports', () => {
  expect(judgeNatPorts(metrics(20))).toMatchObject({
    result: 'ok',
    found: '2 NICs have ports to spare',
  })
  expect(judgeNatPorts(metrics(96))).toMatchObject({
    result: 'warn',
    found: expect.stringContaining('i-1 uses 96 of 96'),
  })
})

it('has nothing to say of a host without instances', () => {
  expect(judgeNatPorts('').result).toBe('ok')
})

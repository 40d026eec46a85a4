/** CreateInternetGateway: attached to nothing yet. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { changeAction } from '../change.ts'
import { specifiedTags, tagSpecificationsSchema } from '../schemas.ts'
import { internetGatewayView } from '../views/internet-gateway.ts'
import { tagsView } from '../views/tags.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateInternetGateway.html */
export const createInternetGateway = changeAction({
  name: 'CreateInternetGateway',
  input: z.strictObject({ TagSpecifications: tagSpecificationsSchema(['internet-gateway']) }),
  async change(tx, { TagSpecifications }, { account, newId, settings }) {
    const limit = settings.quotas.internetGateways
    await tx.takeTurn(account)
    if ((await tx.internetGateways({ account })).length >= limit)
      throw refused(
        'InternetGatewayLimitExceeded',
        `The maximum number of internet gateways has been reached: ${limit}`,
      )
    const gateway = { id: newId('igw'), account, vpc: null }
    await tx.insertInternetGateway(gateway)
    const of = { account, resource: gateway.id, resourceType: 'internet-gateway' }
    const tags = specifiedTags(TagSpecifications, of)
    await tx.putTags(tags)
    return { gateway, tags }
  },
  view: ({ gateway, tags }) => ({
    InternetGateway: internetGatewayView(gateway, tagsView(tags, gateway.id)),
  }),
})

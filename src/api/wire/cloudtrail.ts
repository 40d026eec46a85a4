/**
 * CloudTrail's only action that Atoll has, as `generated/` has the actions of other services. Its
 * clients speak JSON (`aws-json.ts`). Pure.
 * https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
 */
import type { WireModel } from './model.ts'

/** In the notation of `model.ts`. */
export const CLOUDTRAIL_MODEL: WireModel = {
  name: 'cloudtrail',
  version: '2013-11-01',
  namespace: 'com.amazonaws.cloudtrail.v20131101',
  protocol: 'json',
  wrapped: false,
  actions: { LookupEvents: ['LookupEventsRequest', 'LookupEventsResponse'] },
  inputs: {
    LookupAttribute: {
      AttributeKey: 'AttributeKey string',
      AttributeValue: 'AttributeValue string',
    },
    LookupEventsRequest: {
      LookupAttributes: 'LookupAttributes LookupAttribute[]',
      StartTime: 'StartTime timestamp',
      EndTime: 'EndTime timestamp',
      EventCategory: 'EventCategory string',
      MaxResults: 'MaxResults number',
      NextToken: 'NextToken string',
    },
  },
  outputs: {
    Event: {
      EventId: 'EventId string',
      EventName: 'EventName string',
      ReadOnly: 'ReadOnly string',
      AccessKeyId: 'AccessKeyId string',
      EventTime: 'EventTime timestamp',
      EventSource: 'EventSource string',
      Username: 'Username string',
      Resources: 'Resources Resource[member]',
      CloudTrailEvent: 'CloudTrailEvent string',
    },
    LookupEventsResponse: {
      Events: 'Events Event[member]',
      NextToken: 'NextToken string',
    },
    Resource: { ResourceType: 'ResourceType string', ResourceName: 'ResourceName string' },
  },
}

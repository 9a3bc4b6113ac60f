import { apis } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import { defineHandler } from './handler.js';

const BROKERS = 1;
const CONTROLLERS = 2;
const ALL_CLUSTER_OPERATIONS = 0b1_1111_1010_0000;

/** The brokers (KIP-700). */
export const describeCluster = defineHandler(apis.DescribeCluster, {
  handle({ body }, { cluster }) {
    const { clusterId } = cluster.settings;
    if (body.endpointType !== BROKERS) {
      return {
        errorCode:
          body.endpointType === CONTROLLERS
            ? Errors.MISMATCHED_ENDPOINT_TYPE
            : Errors.UNSUPPORTED_ENDPOINT_TYPE,
        errorMessage: 'The request was sent to an endpoint of the wrong type.',
        clusterId,
        brokers: [],
      };
    }
    return {
      errorCode: Errors.NONE,
      clusterId,
      controllerId: cluster.controllerId,
      brokers: cluster.runningNodes.map(({ id, host, port, rack }) => ({
        brokerId: id,
        host,
        port,
        rack,
      })),
      ...(body.includeClusterAuthorizedOperations
        ? { clusterAuthorizedOperations: ALL_CLUSTER_OPERATIONS }
        : {}),
    };
  },
  fail: (_request, errorCode) => ({ errorCode, clusterId: '', brokers: [] }),
});

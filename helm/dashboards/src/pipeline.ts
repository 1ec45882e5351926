// What carries the sound: throughput, lag, latency, batches, the device, and the workers themselves.

import { assemble, chart, figure, heat, limits, list, OF_NAMESPACE, spans, VARIABLES } from './parts.js';

const OF_JOB = `${OF_NAMESPACE}, job=~"$job"`;
const rate = (metric: string, labels = OF_JOB) => `rate(${metric}{${labels}}[$__rate_interval])`;
const buckets = (metric: string, labels = OF_JOB) => `sum by (le) (${rate(`${metric}_bucket`, labels)})`;
const ofStage = (stage: string) => `${OF_JOB}, stage="${stage}"`;
const perWorker = (metric: string) => `max by (worker) (${metric}{${OF_JOB}})`;

export const pipeline = assemble(
    'auscult-pipeline',
    'Auscult / Pipeline',
    'Throughput, lag, latency, batch sizes, GPU and the workers.',
    [VARIABLES.datasource, VARIABLES.namespace, VARIABLES.job],
    [
        {
            title: 'Now',
            height: 4,
            panels: [
                [4, figure('Records', { expr: `sum(${rate('auscult_input_records_total')})` }, { unit: 'cps', about: 'Consumed by all chosen workers together. A chunk passes two of them.' })],
                [4, figure('Waiting', { expr: `sum(auscult_consumer_lag_records{${OF_JOB}})` }, { thresholds: limits(1000, 10000), about: 'Records not yet consumed.' })],
                [4, figure('Behind', { expr: `max(namespace_job:auscult_backlog_seconds{${OF_JOB}})` }, { unit: 's', thresholds: limits(300, 1800), about: 'How long the records that wait take at the rate of the last quarter of an hour.' })],
                [4, figure('Record to result, p99', { expr: `histogram_quantile(0.99, ${buckets('auscult_stage_seconds', ofStage('end_to_end'))})` }, { unit: 's', thresholds: limits(10, 60), about: "From a record's timestamp to the commit of its results, of one worker." })],
                [4, figure('Dead letters', { expr: `sum(increase(auscult_dead_letters_total{${OF_JOB}}[1h]))` }, { decimals: 0, thresholds: limits(1), about: 'In the last hour.' })],
                [4, figure('Workers not ready', { expr: `count(auscult_ready{${OF_JOB}}) - sum(auscult_ready{${OF_JOB}})` }, { thresholds: limits(1), about: 'Of those that answer. Their /readyz says why.' })],
            ],
        },
        {
            title: 'Throughput and lag',
            height: 9,
            panels: [
                [8, chart('Records consumed', [{ expr: `sum by (job) (${rate('auscult_input_records_total')})`, legend: '{{job}}' }], { unit: 'cps', about: 'Where the second line lies below the first, a lag grows between them.' })],
                [8, chart('Bytes consumed', [{ expr: `sum by (job) (${rate('auscult_input_bytes_total')})`, legend: '{{job}}' }], { unit: 'Bps', about: 'Of the values of records.' })],
                [8, chart('Records committed', [{ expr: `sum by (topic) (${rate('auscult_output_records_total')})`, legend: '{{topic}}' }], { unit: 'cps', about: 'By the topic that they were written to.' })],
            ],
        },
        {
            title: 'Lag',
            height: 9,
            panels: [
                [12, chart('Lag by topic', [{ expr: `sum by (topic) (auscult_consumer_lag_records{${OF_JOB}})`, legend: '{{topic}}' }], { about: 'Records not yet consumed.' })],
                [12, chart('Lag of the ten furthest partitions', [{ expr: `topk(10, max by (topic, partition) (auscult_consumer_lag_records{${OF_JOB}}))`, legend: '{{topic}} {{partition}}' }], { about: 'One alone: its worker, or a key that most records have.' })],
            ],
        },
        {
            title: 'Latency',
            height: 9,
            panels: [
                [12, heat('Record to result', buckets('auscult_stage_seconds', ofStage('end_to_end')), { unit: 's', about: "From a record's timestamp to the commit of its results." })],
                [12, heat('A batch through the processor', buckets('auscult_stage_seconds', ofStage('process')), { unit: 's', about: 'Without waiting and committing.' })],
            ],
        },
        {
            title: 'Where the time goes',
            height: 9,
            panels: [
                [8, heat('Begin to commit', buckets('auscult_stage_seconds', ofStage('commit')), { unit: 's', about: 'Of one batch. What brokers take.' })],
                [8, chart('Stages, p50', [{ expr: `histogram_quantile(0.5, sum by (le, stage) (${rate('auscult_stage_seconds_bucket')}))`, legend: '{{stage}}' }], { unit: 's', about: 'fetch and end_to_end begin with the timestamp of the record; process and commit are of a batch, the others of a chunk.' })],
                [8, chart('Stages, p99', [{ expr: `histogram_quantile(0.99, sum by (le, stage) (${rate('auscult_stage_seconds_bucket')}))`, legend: '{{stage}}' }], { unit: 's', about: 'As beside.' })],
            ],
        },
        {
            title: 'Age of the sound when judged',
            height: 8,
            panels: [
                [12, heat('Recording to judgement', buckets('auscult_chunk_age_seconds'), { unit: 's', about: "From the time that the gateway gives. A gateway's wrong clock shows here." })],
                [12, chart('Recording to judgement', [0.5, 0.99].map((q) => ({ expr: `histogram_quantile(${q}, ${buckets('auscult_chunk_age_seconds')})`, legend: `p${q * 100}` })), { unit: 's', about: 'At most an hour is told apart.' })],
            ],
        },
        {
            title: 'Batches',
            height: 9,
            panels: [
                [8, heat('Records in a batch', buckets('auscult_batch_records'), { unit: 'short', about: 'Small ones at low load; at the bound (batch.max_records) where workers do not keep up.' })],
                [8, heat('Chunks in a forward pass', buckets('auscult_forward_chunks'), { unit: 'short', about: 'One pass a model and batch: many models make small passes.' })],
                [8, chart('Bytes in a batch', [0.5, 0.99].map((q) => ({ expr: `histogram_quantile(${q}, ${buckets('auscult_batch_bytes')})`, legend: `p${q * 100}` })), { unit: 'bytes', about: 'Of input.' })],
            ],
        },
        {
            title: 'Device',
            height: 8,
            panels: [
                [8, list('Where it is scored', { expr: `max by (worker, device) (auscult_device_info{${OF_JOB}}) * on (worker) group_left () max by (worker) (auscult_device_fallback{${OF_JOB}})` }, { columns: { worker: 'Worker', device: 'Device' }, value: 'Fallen back', thresholds: limits(1), about: '1: the worker looked for a GPU, found none and took the CPU.' })],
                [8, chart('A forward pass, p99', [{ expr: `histogram_quantile(0.99, sum by (le, worker) (${rate('auscult_stage_seconds_bucket', ofStage('forward'))}))`, legend: '{{worker}}' }], { unit: 's', about: 'Of all chunks of a model in a batch.' })],
                [8, chart('GPU utilisation and memory', [{ expr: `avg by (gpu, Hostname) (DCGM_FI_DEV_GPU_UTIL) / 100`, legend: 'used {{Hostname}} {{gpu}}' }, { expr: `max by (gpu, Hostname) (DCGM_FI_DEV_FB_USED) / (max by (gpu, Hostname) (DCGM_FI_DEV_FB_USED) + max by (gpu, Hostname) (DCGM_FI_DEV_FB_FREE))`, legend: 'memory {{Hostname}} {{gpu}}' }], { unit: 'percentunit', max: 1, about: "From NVIDIA's DCGM exporter, where there is one: all GPUs that this Prometheus knows." })],
            ],
        },
        {
            title: 'What goes wrong',
            height: 9,
            panels: [
                [8, chart('Dead letters by reason', [{ expr: `sum by (reason) (increase(auscult_dead_letters_total{${OF_JOB}}[1h])) > 0`, legend: '{{reason}}' }], { about: 'In the last hour. docs/runbooks/AuscultDeadLetters.md says what each reason means.' })],
                [8, chart('Commits, aborts, new clients', [{ expr: `sum(${rate('auscult_commits_total')})`, legend: 'commits' }, { expr: `sum(${rate('auscult_aborts_total')})`, legend: 'aborts' }, { expr: `sum(${rate('auscult_client_replacements_total')})`, legend: 'clients replaced' }], { unit: 'ops', about: 'An aborted batch is done again: nothing is lost or doubled.' })],
                [8, chart('Rebalances an hour', [{ expr: `sum by (kind) (increase(auscult_rebalances_total{${OF_JOB}}[1h]))`, legend: '{{kind}}' }, { expr: `sum(increase(auscult_expired_offsets_total{${OF_JOB}}[1h]))`, legend: 'records expired unread' }], { about: 'A lost partition was taken from a worker that did not answer in time.' })],
            ],
        },
        {
            title: 'Workers',
            height: 9,
            panels: [
                [8, chart('Partitions', [{ expr: perWorker('auscult_assigned_partitions'), legend: '{{worker}}' }], { about: 'A worker without any is one too many: there are no more partitions.' })],
                [8, chart('Stood still', [{ expr: perWorker('auscult_stalled_seconds'), legend: '{{worker}}' }], { unit: 's', thresholds: limits(60), line: true, about: 'With work to do. Not ready after limits.stall_unready_ms, ended after limits.stall_exit_ms.' })],
                [8, chart('Held between consumer and commit', [{ expr: perWorker('auscult_buffered_bytes'), legend: '{{worker}}' }], { unit: 'bytes', about: 'Intake pauses at limits.max_buffer_bytes.' })],
            ],
        },
        {
            title: 'Processes',
            height: 9,
            panels: [
                [8, chart('Resident memory', [{ expr: `max by (worker) (process_resident_memory_bytes{${OF_JOB}} and on (namespace, job, instance) auscult_build_info)`, legend: '{{worker}}' }], { unit: 'bytes', about: 'Of the process.' })],
                [8, list('Reading back of state', { expr: `auscult_restore_seconds_sum{${OF_JOB}} / (auscult_restore_seconds_count{${OF_JOB}} > 0)` }, { columns: { worker: 'Worker', job: 'Job' }, value: 'Mean of a partition', unit: 's', about: 'What a rebalance costs, since the start of the worker.' })],
                [8, list('Versions and models', { expr: `max by (worker, version) (auscult_build_info{${OF_JOB}}) * on (worker) group_left () (max by (worker) (auscult_models{${OF_JOB}}) or 0 * max by (worker) (auscult_build_info{${OF_JOB}}))` }, { columns: { worker: 'Worker', version: 'Version' }, value: 'Models', about: 'Models that are loaded; feature workers have none.' })],
            ],
        },
        {
            title: 'Models and intake',
            height: 8,
            panels: [
                [8, chart('Models', [{ expr: perWorker('auscult_models'), legend: 'loaded {{worker}}' }, { expr: perWorker('auscult_unusable_models'), legend: 'unusable {{worker}}' }], { about: 'Files that cannot be used are named in the log.' })],
                [8, chart('Changes of models an hour', [{ expr: `sum(increase(auscult_model_reloads_total{${OF_JOB}}[1h]))`, legend: 'came into service' }, { expr: `sum(increase(auscult_model_reload_failures_total{${OF_JOB}}[1h]))`, legend: 'could not be used' }], { about: 'While running.' })],
                [8, spans('Intake paused', { expr: perWorker('auscult_paused'), legend: '{{worker}}' }, { colour: 'orange', on: 'paused', off: '', about: 'Because too much is held. Short and often at full load; long where commits hang.' })],
            ],
        },
        {
            title: 'The bridge to Alertmanager',
            height: 8,
            panels: [
                [12, chart('Requests to Alertmanager', [{ expr: `sum by (outcome) (rate(auscult_alertmanager_posts_total{${OF_NAMESPACE}}[$__rate_interval]))`, legend: '{{outcome}}' }], { unit: 'reqps', about: 'What stands is posted again each alertmanager.resend_secs.' })],
                [12, chart('Since the last delivery', [{ expr: `time() - max(auscult_alertmanager_last_delivery_timestamp_seconds{${OF_NAMESPACE}} > 0)`, legend: 'age' }], { unit: 's', thresholds: limits(300), line: true, about: 'Where nothing has ever stood there is none.' })],
            ],
        },
    ],
);

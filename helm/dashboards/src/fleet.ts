// All machines at a glance: how many are in which state, where chunks are anomalous, which machines are worst.

import { assemble, chart, figure, floors, limits, list, OF_NAMESPACE, OF_SITE, OF_SITES_MACHINES, VARIABLES } from './parts.js';

const machines = (states: string) => `sum(auscult_machines{${OF_NAMESPACE}, state=~"${states}"})`;
const LEVEL = 'namespace_site_line_kind:auscult_site';
const share = (window: string, by: string) =>
    `sum${by} (${LEVEL}_anomalous_chunks:rate${window}{${OF_SITE}}) / (sum${by} (${LEVEL}_chunks:rate${window}{${OF_SITE}}) > 0)`;

export const STATE_COLOURS = {
    learning: 'light-blue',
    healthy: 'green',
    warning: 'orange',
    alarm: 'red',
    acknowledged: 'purple',
    maintenance: 'blue',
    sensor_fault: 'yellow',
    setup_fault: 'dark-yellow',
    idle: 'dark-blue',
    silent: 'text',
};

const FEW_MACHINES = ' Only where a worker has no more machines than metrics.machine_series_up_to.';

export const fleet = assemble(
    'auscult-fleet',
    'Auscult / Fleet',
    'All machines: states, anomaly rates by site, line and kind, the worst machines.',
    [VARIABLES.datasource, VARIABLES.namespace, VARIABLES.site],
    [
        {
            title: 'Now',
            height: 4,
            panels: [
                [4, figure('Machines', { expr: `sum(auscult_machines{${OF_NAMESPACE}})` }, { about: 'Machines that have been heard and not been forgotten. All sites.' })],
                [4, figure('In alarm', { expr: machines('alarm|acknowledged') }, { thresholds: limits(1), about: 'Acknowledged alarms among them. All sites.' })],
                [4, figure('In warning', { expr: machines('warning') }, { thresholds: limits(1), about: 'Some of the latest chunks deviate. All sites.' })],
                [4, figure('Not heard', { expr: machines('silent|sensor_fault') }, { thresholds: limits(1), about: 'Nothing comes from them, or all their microphones are at fault. All sites.' })],
                [4, figure('Drifting', { expr: `sum(auscult_drifting_machines{${OF_NAMESPACE}})` }, { thresholds: limits(1), about: 'Their sound is no longer the one that their models were trained on. All sites.' })],
                [4, figure('Anomalous chunks', { expr: share('1h', '') }, { unit: 'percentunit', decimals: 1, thresholds: limits(0.05, 0.25), about: 'Of the last hour, of the sites chosen. One in a hundred is what a model is trained for.' })],
            ],
        },
        {
            title: 'Anomaly rates',
            height: 9,
            panels: [
                [12, chart('Anomalous chunks by line, over 1 h', [{ expr: `namespace_site_line:auscult_site_anomalous_chunks:ratio_rate1h{${OF_SITE}}`, legend: '{{site}} / {{line}}' }], { unit: 'percentunit', about: 'All lines of a site rise together when its hall has changed; one alone is its own.' })],
                [12, chart('Anomalous chunks by kind of machine, over 1 h', [{ expr: share('1h', ' by (kind)'), legend: '{{kind}}' }], { unit: 'percentunit', about: 'One kind alone: a model that does not fit it, or a change of its work.' })],
            ],
        },
        {
            title: 'Anomaly rates over a day, and of how many',
            height: 8,
            panels: [
                [12, chart('Anomalous chunks by site, over 1 d', [{ expr: `namespace_site:auscult_site_anomalous_chunks:ratio_rate1d{${OF_SITE}}`, legend: '{{site}}' }], { unit: 'percentunit', about: 'What weeks are compared by.' })],
                [12, chart('Chunks judged, over 1 h', [{ expr: `sum by (site, line) (${LEVEL}_chunks:rate1h{${OF_SITE}})`, legend: '{{site}} / {{line}}' }], { unit: 'cps', about: 'What the rates are of.' })],
            ],
        },
        {
            title: 'States',
            height: 9,
            panels: [
                [12, chart('Machines by state', [{ expr: `sum by (state) (auscult_machines{${OF_NAMESPACE}})`, legend: '{{state}}' }], { stacked: true, colours: STATE_COLOURS, about: 'All sites.' })],
                [12, chart('Changes of state an hour', [{ expr: `sum by (state) (increase(auscult_state_changes_total{${OF_NAMESPACE}}[1h]))`, legend: 'to {{state}}' }], { about: 'Into which state. Many at one time are seldom many faults: look at the environment.' })],
            ],
        },
        {
            title: 'Top machines',
            height: 10,
            panels: [
                [8, list('In alarm', { expr: `max by (machine, state) (auscult_machine_state{${OF_SITES_MACHINES}, state=~"alarm|acknowledged"}) == 1` }, { columns: { machine: 'Machine', state: 'State' }, value: 'In it', about: `Machines that somebody must look at.${FEW_MACHINES}` })],
                [8, list('Most anomalous chunks, last hour', { expr: `topk(15, sum by (machine) (increase(auscult_machine_anomalous_chunks_total{${OF_SITES_MACHINES}}[1h])) / (sum by (machine) (increase(auscult_machine_chunks_total{${OF_SITES_MACHINES}}[1h])) > 0))` }, { columns: { machine: 'Machine' }, value: 'Anomalous', unit: 'percentunit', decimals: 1, thresholds: limits(0.05, 0.25), about: `Share of the machine's chunks.${FEW_MACHINES}` })],
                [8, list('Lowest health index', { expr: `bottomk(15, min by (machine) (auscult_machine_health_index{${OF_SITES_MACHINES}}))` }, { columns: { machine: 'Machine' }, value: 'Health', decimals: 0, thresholds: floors(40, 60), ascending: true, about: `Of the latest chunk: 100 best, 50 at the threshold.${FEW_MACHINES}` })],
            ],
        },
        {
            title: 'Alerts and microphones',
            height: 9,
            panels: [
                [8, chart('Alerts an hour', [{ expr: `sum by (kind, state) (increase(auscult_alerts_total{${OF_NAMESPACE}}[1h]))`, legend: '{{kind}}: {{state}}' }], { about: 'Records of audio.alerts: changes, not what stands.' })],
                [8, chart('Alerts that stand', [{ expr: `sum by (alertname) (auscult_standing_alerts{${OF_NAMESPACE}})`, legend: '{{alertname}}' }], { about: 'As auscult alertmanager has told Alertmanager.' })],
                [8, chart('Channels left out of scores', [{ expr: `sum by (flag) (rate(auscult_sensor_faults_total{${OF_NAMESPACE}}[$__rate_interval]))`, legend: '{{flag}}' }], { unit: 'cps', about: 'Because their microphones are at fault, by what is wrong with them.' })],
            ],
        },
    ],
);

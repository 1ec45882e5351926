// One machine: its state, health, score and drift charts.

import { assemble, chart, figure, floors, limits, OF_NAMESPACE, spans, VARIABLES } from './parts.js';

const OF_MACHINE = `${OF_NAMESPACE}, machine="$machine"`;
const inAnHour = (metric: string) => `sum(increase(${metric}{${OF_MACHINE}}[1h]))`;

export const machine = assemble(
    'auscult-machine',
    'Auscult / Machine',
    'One machine. What deviates, in which band, since when is in its records of audio.scores and audio.alerts: auscult watch.',
    [VARIABLES.datasource, VARIABLES.namespace, VARIABLES.site, VARIABLES.machine],
    [
        {
            title: '$machine',
            height: 4,
            panels: [
                [6, figure('Health', { expr: `max(auscult_machine_health_index{${OF_MACHINE}})` }, { decimals: 0, thresholds: floors(40, 60), about: 'Of the latest chunk: 100 best, 50 at the threshold.' })],
                [6, figure('Score', { expr: `max(auscult_machine_score_ratio{${OF_MACHINE}})` }, { decimals: 2, thresholds: limits(0.8, 1), about: 'Of the latest chunk, as a multiple of the threshold.' })],
                [6, figure('Anomalous in an hour', { expr: `${inAnHour('auscult_machine_anomalous_chunks_total')} / (${inAnHour('auscult_machine_chunks_total')} > 0)` }, { unit: 'percentunit', decimals: 1, thresholds: limits(0.05, 0.25), about: 'Of its chunks.' })],
                [6, figure('Drift', { expr: `max(auscult_machine_drift_chart_ratio{${OF_MACHINE}})` }, { decimals: 2, thresholds: limits(0.8, 1), about: 'The highest of its charts, as a multiple of its limit.' })],
            ],
        },
        {
            title: 'State',
            height: 7,
            panels: [
                [24, spans('State', { expr: `max by (state) (auscult_machine_state{${OF_MACHINE}})`, legend: '{{state}}' }, { colour: 'blue', on: 'in it', off: '', about: 'A row for each state that the machine was in. docs/alerts.md says what leads from one to the other.' })],
            ],
        },
        {
            title: 'Sound',
            height: 9,
            panels: [
                [12, chart('Health index', [{ expr: `max(auscult_machine_health_index{${OF_MACHINE}})`, legend: 'health' }], { max: 100, thresholds: floors(50, 50.001), line: true, about: '50 is the threshold.' })],
                [12, chart('Score as a multiple of the threshold', [{ expr: `max(auscult_machine_score_ratio{${OF_MACHINE}})`, legend: 'score' }], { thresholds: limits(1), line: true, about: 'Above 1 a chunk is anomalous.' })],
            ],
        },
        {
            title: 'Chunks',
            height: 8,
            panels: [
                [12, chart('Chunks in an hour', [{ expr: inAnHour('auscult_machine_chunks_total'), legend: 'judged' }, { expr: inAnHour('auscult_machine_anomalous_chunks_total'), legend: 'anomalous' }], { colours: { anomalous: 'red', judged: 'green' }, about: 'Fewer than its cadence gives: the gateway, or the microphones.' })],
                [12, spans('Drift', { expr: `max(auscult_machine_drifting{${OF_MACHINE}})`, legend: 'drifting' }, { colour: 'orange', on: 'drifting', off: '', about: 'While it stood.' })],
            ],
        },
        {
            title: 'Drift charts, as multiples of their limits',
            height: 10,
            panels: [
                [24, chart('Drift charts', [{ expr: `max by (chart) (auscult_machine_drift_chart_ratio{${OF_MACHINE}})`, legend: '{{chart}}' }], { thresholds: limits(1), line: true, about: 'Once a window (50 chunks). docs/drift.md says what each watches.' })],
            ],
        },
    ],
);

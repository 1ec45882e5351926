// Where sounds move away from what models were trained on: how many machines, found by which chart, which machines.

import { assemble, chart, figure, limits, list, OF_NAMESPACE, OF_SITES_MACHINES, spans, VARIABLES } from './parts.js';

export const drift = assemble(
    'auscult-drift',
    'Auscult / Drift',
    'Machines whose sound is no longer the one that their models were trained on. docs/drift.md says what the charts watch.',
    [VARIABLES.datasource, VARIABLES.namespace, VARIABLES.site],
    [
        {
            title: 'Now',
            height: 4,
            panels: [
                [6, figure('Drifting', { expr: `sum(auscult_drifting_machines{${OF_NAMESPACE}})` }, { thresholds: limits(1), about: 'All sites.' })],
                [6, figure('Share of the fleet', { expr: `sum(auscult_drifting_machines{${OF_NAMESPACE}}) / (sum(auscult_machines{${OF_NAMESPACE}}) > 0)` }, { unit: 'percentunit', decimals: 1, thresholds: limits(0.05, 0.2), about: 'All sites. More than a fifth at once has a cause in common.' })],
                [6, figure('Found in a day', { expr: `sum(increase(auscult_drifts_found_total{${OF_NAMESPACE}}[1d]))` }, { decimals: 0, about: 'All sites. By chance alone: one a machine in drift.false_alarm_every_chunks.' })],
                [6, figure('Workers without series of machines', { expr: `sum(auscult_machine_series_left_out{${OF_NAMESPACE}})` }, { thresholds: limits(1), about: 'They have more machines than metrics.machine_series_up_to: their machines are in the figures above, and not in the charts below.' })],
            ],
        },
        {
            title: 'The fleet',
            height: 9,
            panels: [
                [8, chart('Drifting machines', [{ expr: `sum(auscult_drifting_machines{${OF_NAMESPACE}})`, legend: 'drifting' }], { about: 'All sites.' })],
                [8, chart('Drifts found in an hour', [{ expr: `sum by (chart) (increase(auscult_drifts_found_total{${OF_NAMESPACE}}[1h]))`, legend: '{{chart}}' }], { about: 'input_level and band_level: gain, or the background. page_hinkley and ewma: the score itself moves. quality_rate: microphones.' })],
                [8, chart('Changes of an environment in an hour', [{ expr: `sum(increase(auscult_environment_changes_total{${OF_NAMESPACE}}[1h]))`, legend: 'noticed, one a partition' }], { about: 'What a whole hall hears at once is no drift of its machines; levels are learnt anew after it.' })],
            ],
        },
        {
            title: 'Charts, as multiples of the limit above which they find drift',
            height: 10,
            panels: [
                [12, chart('The highest of all machines', [{ expr: `max by (chart) (auscult_machine_drift_chart_ratio{${OF_SITES_MACHINES}})`, legend: '{{chart}}' }], { thresholds: limits(1), line: true, about: 'Above 1 drift is found.' })],
                [12, list('Furthest machines', { expr: `topk(20, max by (machine, chart) (auscult_machine_drift_chart_ratio{${OF_SITES_MACHINES}}))` }, { columns: { machine: 'Machine', chart: 'Chart' }, value: 'Of its limit', decimals: 2, thresholds: limits(0.8, 1), about: 'Above 1 drift is found.' })],
            ],
        },
        {
            title: 'Machines',
            height: 12,
            panels: [
                [16, spans('When drift stood', { expr: `max by (machine) (auscult_machine_drifting{${OF_SITES_MACHINES}})`, legend: '{{machine}}' }, { colour: 'orange', on: 'drifting', off: '', about: 'From the finding until three windows in a row without a sign of it.' })],
                [8, list('Drifting now', { expr: `max by (machine) (auscult_machine_drifting{${OF_SITES_MACHINES}}) == 1` }, { columns: { machine: 'Machine' }, value: 'Drifting', about: 'Their models are due: docs/runbooks/AuscultMachineDrifting.md.' })],
            ],
        },
    ],
);

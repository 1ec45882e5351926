// What the dashboards are made of: variables, and one function for each kind of panel, so that the same thing looks the same everywhere.
//
// Grafana's grid has 24 columns. On a screen of 1440 px a column is some 58 px: a figure takes four (230 px), a chart with a legend at least
// eight (470 px), a table of machines twelve. `place` holds panels to that.

import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import * as common from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import * as heatmap from '@grafana/grafana-foundation-sdk/heatmap';
import * as prometheus from '@grafana/grafana-foundation-sdk/prometheus';
import * as stat from '@grafana/grafana-foundation-sdk/stat';
import * as statetimeline from '@grafana/grafana-foundation-sdk/statetimeline';
import * as table from '@grafana/grafana-foundation-sdk/table';
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';

export type Panel = Builder<dashboard.Panel> & {
    gridPos(position: dashboard.GridPos): unknown;
    build(): dashboard.Panel;
};

const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

/** Series of the chosen namespaces. Without Kubernetes nothing has a namespace: `All` is `.*`, which an absent label matches. */
export const OF_NAMESPACE = 'namespace=~"$namespace"';
/** Series with a site of their own. */
export const OF_SITE = `${OF_NAMESPACE}, site=~"$site"`;
/** Series of single machines: the site is what stands before the first `/` of their ids. */
export const OF_SITES_MACHINES = `${OF_NAMESPACE}, machine=~"(\${site})(/.*)?"`;

export interface Query {
    expr: string;
    /** What a series is called; Grafana fills in labels: `{{topic}}`. */
    legend?: string;
}

function target({ expr, legend }: Query, index: number): prometheus.DataqueryBuilder {
    const query = new prometheus.DataqueryBuilder()
        .datasource(DATASOURCE)
        .editorMode(prometheus.QueryEditorMode.Code)
        .expr(expr)
        .refId(String.fromCharCode('A'.charCodeAt(0) + index));
    return legend === undefined ? query : query.legendFormat(legend);
}

const overTime = (query: Query, index: number) => target(query, index).range();
const asOfNow = (query: Query, index: number) => target(query, index).instant();

/** Green below the first limit, then orange, then red. */
export function limits(warning: number, critical?: number): dashboard.ThresholdsConfigBuilder {
    const steps: dashboard.Threshold[] = [
        { value: null, color: 'green' },
        { value: warning, color: critical === undefined ? 'red' : 'orange' },
    ];
    if (critical !== undefined) steps.push({ value: critical, color: 'red' });
    return new dashboard.ThresholdsConfigBuilder().mode(dashboard.ThresholdsMode.Absolute).steps(steps);
}

/** Red below the first limit, orange below the second, green above. */
export function floors(critical: number, warning: number): dashboard.ThresholdsConfigBuilder {
    return new dashboard.ThresholdsConfigBuilder().mode(dashboard.ThresholdsMode.Absolute).steps([
        { value: null, color: 'red' },
        { value: critical, color: 'orange' },
        { value: warning, color: 'green' },
    ]);
}

const NEUTRAL = new dashboard.ThresholdsConfigBuilder()
    .mode(dashboard.ThresholdsMode.Absolute)
    .steps([{ value: null, color: 'blue' }]);

interface Look {
    unit?: string;
    decimals?: number;
    thresholds?: dashboard.ThresholdsConfigBuilder;
    /** Shown with the (i) of the panel: what it means, and what is usual. */
    about: string;
}

/** One figure, as it is now. */
export function figure(title: string, query: Query, look: Look): Panel {
    const panel = new stat.PanelBuilder()
        .title(title)
        .description(look.about)
        .datasource(DATASOURCE)
        .withTarget(overTime(query, 0))
        .unit(look.unit ?? 'short')
        .thresholds(look.thresholds ?? NEUTRAL)
        .colorMode(common.BigValueColorMode.Value)
        .graphMode(common.BigValueGraphMode.Area)
        .textMode(common.BigValueTextMode.Value)
        .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']))
        .noValue('–');
    return look.decimals === undefined ? panel : panel.decimals(look.decimals);
}

interface ChartLook extends Look {
    max?: number;
    min?: number;
    stacked?: boolean;
    /** A line across the chart at the first threshold. */
    line?: boolean;
    /** Colours of series by their names. */
    colours?: Record<string, string>;
}

/** Series over time. */
export function chart(title: string, queries: Query[], look: ChartLook): Panel {
    const panel = new timeseries.PanelBuilder()
        .title(title)
        .description(look.about)
        .datasource(DATASOURCE)
        .targets(queries.map(overTime))
        .unit(look.unit ?? 'short')
        .min(look.min ?? 0)
        .lineWidth(1)
        .fillOpacity(look.stacked ? 60 : 8)
        .showPoints(common.VisibilityMode.Never)
        .stacking(new common.StackingConfigBuilder().mode(look.stacked ? common.StackingMode.Normal : common.StackingMode.None))
        .legend(
            new common.VizLegendOptionsBuilder()
                .showLegend(true)
                .displayMode(common.LegendDisplayMode.Table)
                .placement(common.LegendPlacement.Bottom)
                .calcs(['lastNotNull', 'max']),
        )
        .tooltip(new common.VizTooltipOptionsBuilder().mode(common.TooltipDisplayMode.Multi).sort(common.SortOrder.Descending));
    if (look.max !== undefined) panel.max(look.max);
    if (look.thresholds !== undefined) panel.thresholds(look.thresholds);
    if (look.line === true) {
        panel.thresholdsStyle(new common.GraphThresholdsStyleConfigBuilder().mode(common.GraphThresholdsStyleMode.Dashed));
    }
    for (const [name, colour] of Object.entries(look.colours ?? {})) {
        panel.overrideByName(name, [{ id: 'color', value: { mode: dashboard.FieldColorModeId.Fixed, fixedColor: colour } }]);
    }
    return panel;
}

/** How many fell between which bounds, over time: of a Prometheus histogram. */
export function heat(title: string, buckets: string, look: { unit: string; about: string }): Panel {
    const query = target({ expr: buckets, legend: '{{le}}' }, 0).range().format(prometheus.PromQueryFormat.Heatmap);
    return new heatmap.PanelBuilder()
        .title(title)
        .description(look.about)
        .datasource(DATASOURCE)
        .withTarget(query)
        .calculate(false)
        .color(
            new heatmap.HeatmapColorOptionsBuilder()
                .mode(heatmap.HeatmapColorMode.Scheme)
                .scheme('Oranges')
                .steps(64)
                .scale(heatmap.HeatmapColorScale.Exponential)
                .exponent(0.5),
        )
        .rowsFrame(new heatmap.RowsHeatmapOptionsBuilder().layout(common.HeatmapCellLayout.Auto))
        .yAxis(new heatmap.YAxisConfigBuilder().unit(look.unit).axisPlacement(common.AxisPlacement.Left))
        .tooltip(new heatmap.HeatmapTooltipBuilder().mode(common.TooltipDisplayMode.Single).yHistogram(true).showColorScale(true))
        .showLegend()
        .cellGap(1);
}

interface ListLook extends Look {
    /** Labels that make columns, with their headings. */
    columns: Record<string, string>;
    value: string;
    /** Smallest first. */
    ascending?: boolean;
}

/** A table as of now, the value last. Machines lead to the dashboard of the one. */
export function list(title: string, query: Query, look: ListLook): Panel {
    const order = Object.fromEntries([...Object.keys(look.columns), 'Value'].map((name, index) => [name, index]));
    const panel = new table.PanelBuilder()
        .title(title)
        .description(look.about)
        .datasource(DATASOURCE)
        .withTarget(asOfNow(query, 0).format(prometheus.PromQueryFormat.Table))
        .unit(look.unit ?? 'short')
        .thresholds(look.thresholds ?? NEUTRAL)
        .withTransformation({
            id: 'filterFieldsByName',
            options: { include: { names: [...Object.keys(look.columns), 'Value'] } },
        })
        .withTransformation({
            id: 'organize',
            options: { indexByName: order, renameByName: { ...look.columns, Value: look.value } },
        })
        .sortBy([new common.TableSortByFieldStateBuilder().displayName(look.value).desc(look.ascending !== true)])
        .overrideByName(look.value, [
            { id: 'custom.cellOptions', value: { type: common.TableCellDisplayMode.ColorText } },
            { id: 'custom.width', value: 140 },
        ])
        .noValue('none');
    if (look.decimals !== undefined) panel.decimals(look.decimals);
    const machine = look.columns['machine'];
    if (machine !== undefined) {
        const url = '/d/auscult-machine?var-datasource=${datasource}&var-namespace=${namespace:queryparam}&var-machine=${__value.raw:percentencode}&${__url_time_range}';
        panel.overrideByName(machine, [{ id: 'links', value: [{ title: 'This machine', url }] }]);
    }
    return panel;
}

/** When something was so: a row a series, coloured while it is 1. */
export function spans(title: string, query: Query, look: { about: string; colour: string; on: string; off: string }): Panel {
    return new statetimeline.PanelBuilder()
        .title(title)
        .description(look.about)
        .datasource(DATASOURCE)
        .withTarget(overTime(query, 0))
        .mappings([
            {
                type: dashboard.MappingType.ValueToText,
                options: {
                    '0': { text: look.off, color: 'transparent', index: 0 },
                    '1': { text: look.on, color: look.colour, index: 1 },
                },
            },
        ])
        .showValue(common.VisibilityMode.Never)
        .rowHeight(0.8)
        .mergeValues(true)
        .lineWidth(0)
        .fillOpacity(80);
}

function query(name: string, label: string, values: string): dashboard.QueryVariableBuilder {
    return new dashboard.QueryVariableBuilder(name)
        .label(label)
        .datasource(DATASOURCE)
        .query({ query: values, refId: name })
        .refresh(dashboard.VariableRefresh.OnTimeRangeChanged)
        .sort(dashboard.VariableSort.NaturalAsc);
}

function several(variable: dashboard.QueryVariableBuilder): dashboard.QueryVariableBuilder {
    return variable
        .multi(true)
        .includeAll(true)
        .allValue('.*')
        .current({ selected: true, text: ['All'], value: ['$__all'] });
}

export const VARIABLES = {
    datasource: new dashboard.DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'),
    namespace: several(query('namespace', 'Namespace', 'label_values(auscult_build_info, namespace)')),
    job: several(query('job', 'Workers', `label_values(auscult_build_info{${OF_NAMESPACE}}, job)`)),
    site: several(query('site', 'Site', `label_values(auscult_site_chunks_total{${OF_NAMESPACE}}, site)`)),
    machine: query('machine', 'Machine', `label_values(auscult_machine_state{${OF_SITES_MACHINES}}, machine)`),
};

export interface Row {
    title: string;
    height: number;
    panels: [width: number, panel: Panel][];
}

/** A dashboard of rows, each filled from left to right. */
export function assemble(
    uid: string,
    title: string,
    about: string,
    variables: Builder<dashboard.VariableModel>[],
    rows: Row[],
): dashboard.Dashboard {
    const others = new dashboard.DashboardLinkBuilder('Auscult')
        .type(dashboard.DashboardLinkType.Dashboards)
        .tags(['auscult'])
        .asDropdown(true)
        .includeVars(true)
        .keepTime(true);
    const made = new dashboard.DashboardBuilder(title)
        .uid(uid)
        .description(about)
        .tags(['auscult'])
        .editable()
        .tooltip(dashboard.DashboardCursorSync.Crosshair)
        .time({ from: 'now-6h', to: 'now' })
        .timezone('browser')
        .refresh('30s')
        .variables(variables)
        .links([others]);
    let id = 1;
    let y = 0;
    for (const row of rows) {
        made.withRow(new dashboard.RowBuilder(row.title).id(id++).gridPos({ x: 0, y, w: 24, h: 1 }));
        y += 1;
        let x = 0;
        for (const [width, panel] of row.panels) {
            const built = panel.build();
            const least = built.type === 'stat' ? 4 : 8;
            if (width < least) throw new Error(`${title} / ${built.title}: ${width} columns are too few at 1440 px, ${least} are needed`);
            if (x + width > 24) throw new Error(`${title} / ${row.title}: a row has 24 columns, these panels have more`);
            panel.gridPos({ x, y, w: width, h: row.height });
            const identified = panel as Panel & { id(id: number): unknown };
            identified.id(id++);
            made.withPanel(panel);
            x += width;
        }
        y += row.height;
    }
    return made.build();
}

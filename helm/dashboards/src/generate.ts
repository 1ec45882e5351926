// Writes the dashboards into the folder that is given; with --check compares them with what lies there instead.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { drift } from './drift.js';
import { fleet } from './fleet.js';
import { machine } from './machine.js';
import { pipeline } from './pipeline.js';

const [folder, flag] = process.argv.slice(2);
if (folder === undefined || (flag !== undefined && flag !== '--check')) {
    console.error('usage: generate FOLDER [--check]');
    process.exit(2);
}

const dashboards: Record<string, string> = {};
for (const [name, made] of Object.entries({ fleet, pipeline, drift, machine })) {
    dashboards[`${name}.json`] = `${JSON.stringify(made, null, 2)}\n`;
}

if (flag === '--check') {
    const there = readdirSync(folder).filter((name) => name.endsWith('.json'));
    const others = there.filter((name) => !(name in dashboards));
    const differing = Object.entries(dashboards)
        .filter(([name, text]) => !existsSync(join(folder, name)) || readFileSync(join(folder, name), 'utf8') !== text)
        .map(([name]) => name);
    if (others.length + differing.length > 0) {
        console.error(`not as helm/dashboards/src makes them: ${[...differing, ...others].join(', ')}; helm/dashboards/generate.sh makes them anew`);
        process.exit(1);
    }
    console.log(`${Object.keys(dashboards).length} dashboards are as their sources make them`);
} else {
    for (const [name, text] of Object.entries(dashboards)) writeFileSync(join(folder, name), text);
    console.log(`wrote ${Object.keys(dashboards).join(', ')}`);
}

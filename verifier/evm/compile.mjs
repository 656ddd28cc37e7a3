// Compiles contracts/*.sol and examples/*.sol to artifacts/*.json; with --check, compares instead of writing. With --project DIR it compiles what
// `vouch evm` wrote to DIR in place of them, to DIR/artifacts.
import fs from "node:fs";
import path from "node:path";
import solc from "solc";

const project = process.argv.includes("--project") ? process.argv[process.argv.indexOf("--project") + 1] : undefined;
const here = project ?? import.meta.dirname;
const sources = {};
for (const folder of project ? ["src"] : ["contracts", "examples"]) {
  for (const name of fs.readdirSync(path.join(here, folder)).sort()) {
    sources[`${folder}/${name}`] = { content: fs.readFileSync(path.join(here, folder, name), "utf8") };
  }
}
const settings = {
  viaIR: true,
  // Constants where they are used: read from the code they cost ten times as much, and each needs the field's order.
  optimizer: { enabled: true, runs: 100, details: { yul: true, constantOptimizer: false } },
  evmVersion: "cancun",
  // No digest of sources in the code, so that comments do not change it.
  metadata: { bytecodeHash: "none", appendCBOR: false },
};
const outputSelection = { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } };
const input = { language: "Solidity", sources, settings: { ...settings, outputSelection } };
const output = JSON.parse(solc.compile(JSON.stringify(input)));

const messages = output.errors ?? [];
messages.forEach((message) => console.error(message.formattedMessage));
if (messages.length > 0) {
  process.exit(1);
}

let differ = false;
fs.mkdirSync(path.join(here, "artifacts"), { recursive: true });
for (const contracts of Object.values(output.contracts)) {
  for (const [name, { abi, evm }] of Object.entries(contracts)) {
    // Libraries of internal functions are part of the contracts that use them.
    if (abi.every((entry) => entry.type === "error") || evm.bytecode.object === "") {
      continue;
    }
    const artifact = { contractName: name, compiler: solc.version(), settings, abi, bytecode: `0x${evm.bytecode.object}` };
    const text = `${JSON.stringify(artifact, null, 1)}\n`;
    const file = path.join(here, "artifacts", `${name}.json`);
    const size = evm.deployedBytecode.object.length / 2;
    if (!process.argv.includes("--check")) {
      fs.writeFileSync(file, text);
      console.log(`${name}: ${size} bytes of code`);
    } else if (!fs.existsSync(file) || fs.readFileSync(file, "utf8") !== text) {
      differ = true;
      console.error(`artifacts/${name}.json is not what the sources give; run npm run build`);
    } else {
      console.log(`${name}: the compiled contract is of the sources`);
    }
  }
}
process.exit(differ ? 1 : 0);

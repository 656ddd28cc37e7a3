//! An Ethereum of one's own in memory: contracts are deployed and called, and nothing is paid.

#![allow(dead_code, reason = "not every test that has a chain uses all of it")]

use revm::context::result::{ExecutionResult, Output};
use revm::context::{Context, TxEnv};
use revm::database::{CacheDB, EmptyDB};
use revm::handler::MainnetContext;
use revm::primitives::{Address, Bytes, TxKind, U256};
use revm::state::AccountInfo;
use revm::{ExecuteCommitEvm, ExecuteEvm, InspectEvm, Inspector, MainBuilder, MainContext};

/// Below what a transaction may have (EIP-7825).
const GAS: u64 = 16_000_000;

#[derive(Clone, Default)]
pub struct Chain {
    db: CacheDB<EmptyDB>,
}

/// What a call came to.
#[derive(Debug)]
pub struct Called {
    /// What it returned, or what it reverted with.
    pub returned: Result<Bytes, Bytes>,
    /// What the transaction would cost, its calldata and base included.
    pub gas: u64,
}

impl Chain {
    pub fn deploy(&mut self, creation_code: &Bytes) -> Address {
        self.deploy_from(Address::ZERO, creation_code)
    }

    pub fn deploy_from(&mut self, from: Address, creation_code: &Bytes) -> Address {
        let transaction = TxEnv::builder().caller(from).kind(TxKind::Create).data(creation_code.clone());
        let transaction = transaction.gas_limit(GAS).build().unwrap();
        let mut evm = Context::mainnet()
            .with_db(&mut self.db)
            .modify_cfg_chained(|cfg| cfg.disable_nonce_check = true)
            .build_mainnet();
        match evm.transact_commit(transaction).unwrap() {
            ExecutionResult::Success { output: Output::Create(_, Some(address)), .. } => address,
            other => panic!("not deployed: {other:?}"),
        }
    }

    pub fn code(&mut self, address: Address) -> Bytes {
        let account = self.db.cache.accounts.get(&address).unwrap();
        account.info.code.as_ref().unwrap().original_bytes()
    }

    /// Gives an account money.
    pub fn fund(&mut self, account: Address, amount: u64) {
        self.db.insert_account_info(account, AccountInfo::from_balance(U256::from(amount)));
    }

    pub fn balance(&self, account: Address) -> U256 {
        self.db.cache.accounts.get(&account).map_or(U256::ZERO, |account| account.info.balance)
    }

    /// A transaction of an account's, with money, which is kept.
    pub fn send(&mut self, from: Address, to: Address, data: Vec<u8>, value: u64) -> Called {
        let transaction =
            TxEnv::builder().caller(from).kind(TxKind::Call(to)).data(data.into()).value(U256::from(value));
        let mut evm = Context::mainnet()
            .with_db(&mut self.db)
            .modify_cfg_chained(|cfg| cfg.disable_nonce_check = true)
            .build_mainnet();
        let result = evm.transact_commit(transaction.gas_limit(GAS).build().unwrap()).unwrap();
        called(result).expect("the gas suffices")
    }

    /// Calls a contract, and has an inspector look on.
    pub fn inspect<I>(&self, to: Address, data: Vec<u8>, mut inspector: I) -> (ExecutionResult, I)
    where
        I: Inspector<MainnetContext<CacheDB<EmptyDB>>>,
    {
        let transaction = transaction(TxKind::Call(to), data.into(), GAS);
        let context =
            Context::mainnet().with_db(self.db.clone()).modify_cfg_chained(|cfg| cfg.disable_nonce_check = true);
        let result = context.build_mainnet_with_inspector(&mut inspector).inspect_tx(transaction).unwrap().result;
        (result, inspector)
    }

    /// Calls a contract, with nothing kept of it.
    pub fn call(&self, to: Address, data: Vec<u8>) -> Called {
        self.call_with(GAS, to, data).expect("the gas suffices")
    }

    /// Calls a contract with so much gas; nothing if it does not suffice.
    pub fn call_with(&self, gas: u64, to: Address, data: Vec<u8>) -> Option<Called> {
        let transaction = transaction(TxKind::Call(to), data.into(), gas);
        let mut evm = Context::mainnet()
            .with_db(self.db.clone())
            .modify_cfg_chained(|cfg| cfg.disable_nonce_check = true)
            .build_mainnet();
        called(evm.transact(transaction).ok()?.result)
    }
}

/// Nothing if the gas did not suffice.
fn called(result: ExecutionResult) -> Option<Called> {
    match result {
        ExecutionResult::Success { output, gas, .. } => {
            Some(Called { returned: Ok(output.into_data()), gas: gas.tx_gas_used() })
        }
        ExecutionResult::Revert { output, gas, .. } => Some(Called { returned: Err(output), gas: gas.tx_gas_used() }),
        ExecutionResult::Halt { .. } => None,
    }
}

fn transaction(kind: TxKind, data: Bytes, gas: u64) -> TxEnv {
    TxEnv::builder().kind(kind).data(data).gas_limit(gas).build().unwrap()
}

select pgflow.create_flow('invoice');
select pgflow.add_step('invoice', 'send');
